//! Secrets at rest: AES-256-GCM under the keys that this server holds (`key_files.rs` says where they are); and the
//! randomness of this crate.

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::StateError;

pub(crate) const KEY_LEN: usize = 32;
/// Bytes of a key's digest that are its name.
const ID_LEN: usize = 8;
/// Between the key's name and the rest of a sealed value; base64 has none.
const AFTER_ID: char = '.';

/// A key and what it is called. The name is made of a digest, so it tells nothing of the key.
pub(crate) struct Key {
    pub id: String,
    bytes: [u8; KEY_LEN],
    cipher: LessSafeKey,
}

impl Key {
    pub fn new(bytes: [u8; KEY_LEN]) -> Key {
        let named = digest(&SHA256, &[b"watchkeeper secrets".as_slice(), &bytes].concat());
        let id = named.as_ref()[..ID_LEN].iter().map(|byte| format!("{byte:02x}")).collect();
        let unbound = UnboundKey::new(&AES_256_GCM, &bytes).expect("a key of AES-256 has 32 bytes");
        Key { id, bytes, cipher: LessSafeKey::new(unbound) }
    }

    pub fn random() -> Key {
        Key::new(random_bytes())
    }

    pub fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.bytes
    }

    /// The key's name, and base64 of nonce and ciphertext. `name` is bound to the value, so that one cannot be put in
    /// another's place.
    pub fn seal(&self, name: &str, value: &str) -> String {
        let nonce = random_bytes::<NONCE_LEN>();
        let mut sealed = value.as_bytes().to_vec();
        self.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed)
            .expect("AES-GCM refuses only values of more than 64 GiB");
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        format!("{}{AFTER_ID}{}", self.id, STANDARD.encode(out))
    }

    /// What `seal` made, without the key's name; `None` where it is not of this key or of another name.
    fn open(&self, name: &str, sealed: &str) -> Option<String> {
        let mut bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, value) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.cipher.open_in_place(nonce, Aad::from(name), value).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }

    /// The key for a server that has `under`.
    pub fn wrap(&self, under: &Key) -> String {
        under.seal(&format!("key {}", self.id), &STANDARD.encode(self.bytes))
    }
}

/// Which key a sealed value is of; empty: it is from before keys had names.
pub(crate) fn key_of(sealed: &str) -> &str {
    sealed.split_once(AFTER_ID).map_or("", |(id, _)| id)
}

/// The keys of this server, of which one encrypts.
#[derive(Clone)]
pub(crate) struct Seal {
    ring: Arc<RwLock<Ring>>,
}

struct Ring {
    current: Arc<Key>,
    others: Vec<Arc<Key>>,
}

impl Ring {
    fn all(&self) -> impl Iterator<Item = &Arc<Key>> {
        std::iter::once(&self.current).chain(&self.others)
    }
}

impl Seal {
    /// `current` encrypts until [`Seal::choose`] says otherwise.
    pub fn new(current: Key, others: Vec<Key>) -> Seal {
        let others = others.into_iter().map(Arc::new).collect();
        Seal { ring: Arc::new(RwLock::new(Ring { current: Arc::new(current), others })) }
    }

    pub fn seal(&self, name: &str, value: &str) -> String {
        self.current().seal(name, value)
    }

    pub fn unseal(&self, name: &str, sealed: &str) -> Result<String, StateError> {
        self.open(name, sealed).map(|(value, _)| value)
    }

    /// The value with the key that it is of.
    pub fn open(&self, name: &str, sealed: &str) -> Result<(String, Arc<Key>), StateError> {
        let damaged = || StateError::Unseal { what: name.to_owned() };
        match sealed.split_once(AFTER_ID) {
            Some((id, rest)) => {
                let unknown = || StateError::KeyUnknown { what: name.to_owned(), key: id.to_owned() };
                let key = self.key(id).ok_or_else(unknown)?;
                Ok((key.open(name, rest).ok_or_else(damaged)?, key))
            }
            None => {
                let all: Vec<Arc<Key>> = self.read().all().cloned().collect();
                let opened = all.into_iter().find_map(|key| Some((key.open(name, sealed)?, key)));
                opened.ok_or_else(damaged)
            }
        }
    }

    /// A key that [`Key::wrap`] made for the servers that have one of this server's.
    pub fn unwrap(&self, id: &str, wrapped: &str) -> Result<Key, StateError> {
        let name = format!("key {id}");
        let bytes = STANDARD.decode(self.unseal(&name, wrapped)?).ok().and_then(|bytes| bytes.try_into().ok());
        let key = bytes.map(Key::new).filter(|key| key.id == id);
        key.ok_or(StateError::Unseal { what: name })
    }

    pub fn current(&self) -> Arc<Key> {
        Arc::clone(&self.read().current)
    }

    pub fn key(&self, id: &str) -> Option<Arc<Key>> {
        self.read().all().find(|key| key.id == id).cloned()
    }

    /// One more that decrypts.
    pub fn add(&self, key: Key) {
        let mut ring = self.write();
        if ring.all().all(|known| known.id != key.id) {
            ring.others.push(Arc::new(key));
        }
    }

    /// Has one that is known encrypt from now on; false where it is not known.
    pub fn choose(&self, id: &str) -> bool {
        let mut ring = self.write();
        if ring.current.id == id {
            return true;
        }
        let Some(place) = ring.others.iter().position(|key| key.id == id) else { return false };
        let chosen = ring.others.swap_remove(place);
        let before = std::mem::replace(&mut ring.current, chosen);
        ring.others.push(before);
        true
    }

    /// Whether there are keys besides the one that encrypts.
    pub fn has_others(&self) -> bool {
        !self.read().others.is_empty()
    }

    /// Forgets all but the one that encrypts.
    pub fn forget_others(&self) {
        self.write().others.clear();
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }
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
        let seal = Seal::new(Key::random(), Vec::new());
        let other = Seal::new(Key::random(), Vec::new());
        let sealed = seal.seal("x", "geheim");
        assert!(!sealed.contains("geheim"));
        assert_eq!(key_of(&sealed), seal.current().id);
        assert_eq!(seal.unseal("x", &sealed).unwrap(), "geheim");
        assert!(matches!(seal.unseal("y", &sealed), Err(StateError::Unseal { .. })));
        let Err(StateError::KeyUnknown { key, .. }) = other.unseal("x", &sealed) else {
            panic!("another key opens it")
        };
        assert_eq!(key, seal.current().id);
    }

    #[test]
    fn a_value_from_before_keys_had_names_opens_with_any_key_that_is_right() {
        let old = Key::random();
        let named = old.seal("x", "geheim");
        let (id, rest) = named.split_once('.').unwrap();
        let (id, rest) = (id.to_owned(), rest.to_owned());
        let seal = Seal::new(Key::random(), vec![old]);
        assert_eq!(key_of(&rest), "");
        let (value, key) = seal.open("x", &rest).unwrap();
        assert_eq!((value.as_str(), &key.id), ("geheim", &id));
    }

    #[test]
    fn a_key_travels_under_another_one_and_then_encrypts() {
        let seal = Seal::new(Key::random(), Vec::new());
        let before = seal.seal("x", "geheim");
        let next = Key::random();
        let wrapped = next.wrap(&seal.current());
        assert!(!seal.choose(&next.id), "it is not known yet");
        assert!(seal.unwrap("another", &wrapped).is_err());
        seal.add(seal.unwrap(&next.id, &wrapped).unwrap());
        assert!(seal.choose(&next.id));
        assert_eq!(key_of(&seal.seal("x", "geheim")), next.id);
        assert_eq!(seal.unseal("x", &before).unwrap(), "geheim");
        seal.forget_others();
        assert!(seal.unseal("x", &before).is_err());
    }
}
