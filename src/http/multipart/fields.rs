//! The small fields of a form, gathered in memory within a limit.

use super::Fault;

/// Names and values of a form's fields, in order. Files are somebody else's.
///
/// ```
/// use onepoll::http::multipart::Fields;
/// let mut fields = Fields::new(1024);
/// fields.begin("colour".to_owned())?;
/// fields.push(b"bl")?;
/// fields.push(b"ue")?;
/// assert_eq!(fields.get("colour"), Some(&b"blue"[..]));
/// # Ok::<(), onepoll::http::multipart::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fields {
    list: Vec<(String, Vec<u8>)>,
    /// Bytes that may still come.
    left: usize,
}

/// What a field costs besides its bytes, so that a limit in bytes is one for
/// thousands of empty fields, too.
const FIELD_COST: usize = 64;

impl Fields {
    /// None yet; names and values may take `max` bytes together, where each
    /// field counts for 64 more.
    pub fn new(max: usize) -> Fields {
        Fields { list: Vec::new(), left: max }
    }

    /// A field begins.
    ///
    /// # Errors
    /// A fault with 413 if there is no room for it.
    pub fn begin(&mut self, name: String) -> Result<(), Fault> {
        self.charge(name.len() + FIELD_COST)?;
        self.list.push((name, Vec::new()));
        Ok(())
    }

    /// More of the field that was begun last; nothing happens if none was.
    ///
    /// # Errors
    /// A fault with 413 if there is no room for it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.charge(bytes.len())?;
        if let Some((_, value)) = self.list.last_mut() {
            value.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The same as text, if it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// All values of that name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value)
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.list.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(bytes).ok_or(Fault::FIELDS_TOO_LONG)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_count_and_so_does_each_field() {
        let mut fields = Fields::new(2 * FIELD_COST + 4);
        fields.begin("a".into()).unwrap();
        fields.push(b"12").unwrap();
        fields.begin("a".into()).unwrap();
        assert_eq!(fields.push(b"3"), Err(Fault::FIELDS_TOO_LONG));
        assert_eq!(fields.begin(String::new()), Err(Fault::FIELDS_TOO_LONG));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), [&b"12"[..], b""]);
        assert_eq!(fields.get("b"), None);
    }
}
