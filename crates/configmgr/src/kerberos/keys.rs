//! Keys of Kerberos and what is done with them: aes128-cts-hmac-sha1-96 and aes256-cts-hmac-sha1-96 (RFC 3961, RFC 3962),
//! the two that every domain since Windows Server 2008 has. RC4 and DES are not spoken.

use std::num::NonZeroU32;

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use rand::RngCore;
use ring::{hmac, pbkdf2};

/// Numbers of the encryption types, best first (RFC 3962, section 7).
pub(super) const TYPES: [u32; 2] = [18, 17];
/// Where a KDC does not say how often a password is hashed (RFC 3962, section 4).
const USUAL_ROUNDS: u32 = 4_096;
/// Who asks for more wants to keep this server busy.
const MOST_ROUNDS: u32 = 1_000_000;
const BLOCK: usize = 16;
const MAC: usize = 12;

/// What a key is used for (RFC 4120, section 7.5.1).
#[derive(Clone, Copy)]
pub(super) enum Usage {
    Timestamp = 1,
    AnswerForPassword = 3,
    RequestChecksum = 6,
    RequestAuthenticator = 7,
    AnswerForTicket = 8,
    Authenticator = 11,
}

enum Cipher {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Cipher {
    fn encrypt(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = block.into();
        match self {
            Cipher::Aes128(cipher) => cipher.encrypt_block(&mut block),
            Cipher::Aes256(cipher) => cipher.encrypt_block(&mut block),
        }
        block.into()
    }

    fn decrypt(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = block.into();
        match self {
            Cipher::Aes128(cipher) => cipher.decrypt_block(&mut block),
            Cipher::Aes256(cipher) => cipher.decrypt_block(&mut block),
        }
        block.into()
    }
}

/// A key of one of [`TYPES`].
#[derive(Clone)]
pub(super) struct Key(Vec<u8>);

impl Key {
    /// Of an answer; none where it is of another type.
    pub fn of(kind: u32, bytes: &[u8]) -> Option<Key> {
        (length_of(kind)? == bytes.len()).then(|| Key(bytes.to_vec()))
    }

    /// Of a password. `parameters` are those of the KDC, empty for the usual ones.
    pub fn of_password(kind: u32, password: &str, salt: &[u8], parameters: &[u8]) -> Option<Key> {
        let mut key = vec![0; length_of(kind)?];
        let asked = parameters.try_into().map_or(USUAL_ROUNDS, u32::from_be_bytes);
        let rounds = NonZeroU32::new(asked).filter(|rounds| rounds.get() <= MOST_ROUNDS)?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, rounds, salt, password.as_bytes(), &mut key);
        Some(Key(Key(key).derived(b"kerberos")))
    }

    pub fn kind(&self) -> u32 {
        TYPES[usize::from(self.0.len() == 16)]
    }

    /// The number of its checksums: hmac-sha1-96-aes256 or -aes128.
    pub fn checksum_kind(&self) -> u32 {
        [16, 15][usize::from(self.0.len() == 16)]
    }

    pub fn checksum(&self, usage: Usage, data: &[u8]) -> Vec<u8> {
        mac(&self.used(usage, 0x99), data)
    }

    pub fn encrypt(&self, usage: Usage, plain: &[u8]) -> Vec<u8> {
        let mut data = vec![0; BLOCK];
        rand::rng().fill_bytes(&mut data);
        data.extend_from_slice(plain);
        let mac = mac(&self.used(usage, 0x55), &data);
        [stolen(&cipher(&self.used(usage, 0xaa)), &data), mac].concat()
    }

    /// None where it was encrypted with another key, or changed on the way.
    pub fn decrypt(&self, usage: Usage, encrypted: &[u8]) -> Option<Vec<u8>> {
        let (encrypted, sent) = encrypted.split_at_checked(encrypted.len().checked_sub(MAC)?)?;
        let data = unstolen(&cipher(&self.used(usage, 0xaa)), encrypted)?;
        let is_whole = mac(&self.used(usage, 0x55), &data) == sent;
        data.get(BLOCK..).filter(|_| is_whole).map(<[u8]>::to_vec)
    }

    fn used(&self, usage: Usage, what: u8) -> Vec<u8> {
        self.derived(&[0, 0, 0, usage as u8, what])
    }

    /// DK of RFC 3961, section 5.1.
    fn derived(&self, constant: &[u8]) -> Vec<u8> {
        let cipher = cipher(&self.0);
        let first = cipher.encrypt(folded(constant));
        let mut key = [first, cipher.encrypt(first)].concat();
        key.truncate(self.0.len());
        key
    }
}

fn length_of(kind: u32) -> Option<usize> {
    match kind {
        17 => Some(16),
        18 => Some(32),
        _ => None,
    }
}

fn cipher(key: &[u8]) -> Cipher {
    match Aes128::new_from_slice(key) {
        Ok(cipher) => Cipher::Aes128(Box::new(cipher)),
        Err(_) => Cipher::Aes256(Box::new(Aes256::new_from_slice(key).expect("a key has 16 or 32 bytes"))),
    }
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    hmac::sign(&key, data).as_ref()[..MAC].to_vec()
}

/// n-fold of RFC 3961, section 5.1, to one block: copies, each turned right by 13 bits more, added in ones' complement.
fn folded(input: &[u8]) -> [u8; BLOCK] {
    let bits = input.len() * 8;
    let bit = |at: usize| {
        let (copy, place) = (at / bits, at % bits);
        let from = (place + bits - 13 * copy % bits) % bits;
        (input[from / 8] >> (7 - from % 8)) & 1
    };
    let whole = (1..).map(|times| times * input.len()).find(|length| length % BLOCK == 0).unwrap_or(BLOCK);
    let bytes: Vec<u8> = (0..whole).map(|byte| (0..8).fold(0, |sum, at| (sum << 1) | bit(byte * 8 + at))).collect();
    bytes.chunks_exact(BLOCK).fold([0; BLOCK], |sum, block| {
        let block: [u8; BLOCK] = block.try_into().expect("exact chunks");
        let (number, carried) = u128::from_be_bytes(sum).overflowing_add(u128::from_be_bytes(block));
        number.wrapping_add(u128::from(carried)).to_be_bytes()
    })
}

/// CBC whose last two blocks are swapped, the last cut (RFC 3962, section 5). Data is at least one block.
fn stolen(cipher: &Cipher, data: &[u8]) -> Vec<u8> {
    let mut blocks = Vec::new();
    let mut before = [0; BLOCK];
    for chunk in data.chunks(BLOCK) {
        for (byte, more) in before.iter_mut().zip(chunk) {
            *byte ^= more;
        }
        before = cipher.encrypt(before);
        blocks.push(before);
    }
    let last = blocks.len() - 1;
    if last > 0 {
        blocks.swap(last - 1, last);
    }
    let mut encrypted = blocks.concat();
    encrypted.truncate(data.len());
    encrypted
}

fn unstolen(cipher: &Cipher, encrypted: &[u8]) -> Option<Vec<u8>> {
    let block = |at: usize| encrypted.get(at..at + BLOCK)?.try_into().ok();
    let mut before = [0; BLOCK];
    let mut data = Vec::with_capacity(encrypted.len());
    if encrypted.len() <= BLOCK {
        return Some(cipher.decrypt(block(0)?).to_vec());
    }
    let swapped = (encrypted.len() - 1) / BLOCK * BLOCK - BLOCK;
    for at in (0..swapped).step_by(BLOCK) {
        let encrypted = block(at)?;
        data.extend(xor(cipher.decrypt(encrypted), before));
        before = encrypted;
    }
    let cut = &encrypted[swapped + BLOCK..];
    let last = cipher.decrypt(block(swapped)?);
    let mut stolen = last;
    stolen[..cut.len()].copy_from_slice(cut);
    data.extend(xor(cipher.decrypt(stolen), before));
    data.extend(&xor(last, stolen)[..cut.len()]);
    Some(data)
}

fn xor(mut one: [u8; BLOCK], other: [u8; BLOCK]) -> [u8; BLOCK] {
    one.iter_mut().zip(other).for_each(|(byte, more)| *byte ^= more);
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn passwords_give_the_keys_of_the_document() {
        // RFC 3962, appendix B
        let key = |kind, rounds: u32| {
            let salt = b"ATHENA.MIT.EDUraeburn";
            hex(&Key::of_password(kind, "password", salt, &rounds.to_be_bytes()).unwrap().0)
        };
        assert_eq!(key(17, 1), "42263c6e89f4fc28b8df68ee09799f15");
        assert_eq!(key(18, 1), "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161");
        assert_eq!(key(17, 1200), "4c01cd46d632d01e6dbe230a01ed642a");
        assert_eq!(key(18, 1200), "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a");
        assert!(Key::of_password(23, "password", b"", b"").is_none());
        assert!(Key::of_password(18, "password", b"", &u32::MAX.to_be_bytes()).is_none());
    }

    #[test]
    fn constants_are_folded_as_in_the_document() {
        // RFC 3961, appendix A.1
        assert_eq!(hex(&folded(b"kerberos")), "6b65726265726f737b9b5b2b93132b93");
    }

    #[test]
    fn blocks_are_stolen_as_in_the_document() {
        // RFC 3962, appendix B
        let cipher = cipher(b"chicken teriyaki");
        let text = b"I would like the General Gau's Chicken, please, and wonton soup.";
        let ends = [(17, "97"), (31, "97687268d6ecccc0c07b25e25ecfe5"), (32, "97687268d6ecccc0c07b25e25ecfe584")];
        for (length, end) in ends {
            let encrypted = stolen(&cipher, &text[..length]);
            assert!(hex(&encrypted).ends_with(end), "{}", hex(&encrypted));
        }
        for length in 16..=text.len() {
            assert_eq!(unstolen(&cipher, &stolen(&cipher, &text[..length])).unwrap(), text[..length]);
        }
    }

    #[test]
    fn what_was_changed_is_not_decrypted() {
        for (kind, length) in [(17, 16), (18, 32)] {
            let key = Key::of(kind, &vec![7; length]).unwrap();
            let mut encrypted = key.encrypt(Usage::Authenticator, b"who I am");
            assert_eq!(key.decrypt(Usage::Authenticator, &encrypted).unwrap(), b"who I am");
            assert!(key.decrypt(Usage::Timestamp, &encrypted).is_none());
            encrypted[20] ^= 1;
            assert!(key.decrypt(Usage::Authenticator, &encrypted).is_none());
            assert!(key.decrypt(Usage::Authenticator, &encrypted[..11]).is_none());
        }
    }
}
