//! What a session holds, and how stores write it down.

use std::collections::BTreeMap;

/// Keys and values of a session, in the order of the keys.
pub type Data = BTreeMap<String, String>;

/// A session as stores keep it. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What was set.
    pub data: Data,
    /// When it began, or was last [rotated](super::Session::rotate).
    pub created: u64,
    /// From when on it is as if it were not there.
    pub expires: u64,
}

impl Record {
    /// The data as bytes: each key and each value with its length before it (32
    /// bits, little end first).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(size(&self.data));
        for text in self.data.iter().flat_map(|(key, value)| [key, value]) {
            // A text of 4 GiB doesn't get into a session.
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out
    }

    /// Data from such bytes; `None` if they are damaged.
    pub fn decode(mut bytes: &[u8]) -> Option<Data> {
        let mut data = Data::new();
        while !bytes.is_empty() {
            let key = text(&mut bytes)?;
            data.insert(key, text(&mut bytes)?);
        }
        Some(data)
    }
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let (len, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

/// Bytes of a session's data: what is larger belongs into a table of its own, under a
/// key that the session holds.
pub(super) const MAX: usize = 4096;

/// Bytes of all keys and values, and eight for each pair.
pub(super) fn size(data: &Data) -> usize {
    data.iter().map(|(key, value)| pair_size(key, value)).sum()
}

pub(super) fn pair_size(key: &str, value: &str) -> usize {
    key.len() + value.len() + 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(data in prop::collection::btree_map(".{0,9}", ".{0,20}", 0..9)) {
            let record = Record { data, ..Record::default() };
            let bytes = record.encode();
            prop_assert_eq!(bytes.len(), size(&record.data));
            // A cut within a pair is found out; between two pairs it can't be.
            for at in 0..bytes.len() {
                let whole = Record::decode(&bytes[..at]);
                prop_assert!(whole.is_none_or(|cut| cut.len() < record.data.len()));
            }
            prop_assert_eq!(Record::decode(&bytes), Some(record.data));
        }

        #[test]
        fn damage_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Record::decode(&bytes);
        }
    }
}
