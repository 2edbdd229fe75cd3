//! Secrets at rest: AES-256-GCM with a key from a file that only the owner can read; and the randomness of this crate.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::StateError;

const KEY_LEN: usize = 32;

/// Encrypts and decrypts values. `name` is bound to a value, so that one cannot be put in another's place.
#[derive(Clone)]
pub(crate) struct Seal {
    key: Arc<LessSafeKey>,
}

impl Seal {
    pub fn open(path: &Path) -> Result<Seal, StateError> {
        let fail = |reason: String| StateError::KeyFile { path: path.to_path_buf(), reason };
        let bytes = match File::open(path) {
            Ok(file) => read_key(file).map_err(fail)?,
            Err(error) if error.kind() == ErrorKind::NotFound => create_key(path).map_err(|e| fail(e.to_string()))?,
            Err(error) => return Err(fail(error.to_string())),
        };
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| fail("it does not hold a key".to_owned()))?;
        Ok(Seal { key: Arc::new(LessSafeKey::new(key)) })
    }

    /// Base64 of nonce and ciphertext.
    pub fn seal(&self, name: &str, value: &str) -> String {
        let nonce = random_bytes::<NONCE_LEN>();
        let mut sealed = value.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed)
            .expect("AES-GCM refuses only values of more than 64 GiB");
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        STANDARD.encode(out)
    }

    pub fn unseal(&self, name: &str, sealed: &str) -> Result<String, StateError> {
        let fail = || StateError::Unseal { what: name.to_owned() };
        let mut bytes = STANDARD.decode(sealed).map_err(|_| fail())?;
        let (nonce, value) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(fail)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| fail())?;
        let plain = self.key.open_in_place(nonce, Aad::from(name), value).map_err(|_| fail())?;
        String::from_utf8(plain.to_vec()).map_err(|_| fail())
    }
}

fn read_key(mut file: File) -> Result<Vec<u8>, String> {
    let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("its mode is {mode:o}, so others can read it; chmod it to 600"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() {
        KEY_LEN => Ok(bytes),
        length => Err(format!("it has {length} bytes instead of {KEY_LEN}; restore it from a backup")),
    }
}

fn create_key(path: &Path) -> std::io::Result<Vec<u8>> {
    let bytes = random_bytes::<KEY_LEN>().to_vec();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    Ok(bytes)
}

/// Bytes of the operating system's generator.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system's generator works after boot");
    bytes
}

/// A secret of 256 bits that can stand in a URL, a header and a shell command.
pub fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_under_its_own_name_and_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let seal = Seal::open(&dir.path().join("a")).unwrap();
        let other = Seal::open(&dir.path().join("b")).unwrap();
        let sealed = seal.seal("x", "geheim");
        assert!(!sealed.contains("geheim"));
        assert_eq!(seal.unseal("x", &sealed).unwrap(), "geheim");
        assert!(seal.unseal("y", &sealed).is_err());
        assert!(other.unseal("x", &sealed).is_err());
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        Seal::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Seal::open(&path).err().unwrap().to_string().contains("chmod"));
    }
}
