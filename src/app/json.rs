//! JSON, written (RFC 8259): no tree of values, straight into a string.
//!
//! ```
//! use onepoll::app::json;
//! let text = json::object(|user| {
//!     user.set("name", "Ada \"the first\"");
//!     user.set("born", 1815);
//!     user.set("died", None::<u32>);
//!     user.array("tags", |tags| {
//!         tags.push("maths");
//!         tags.push(true);
//!     });
//! });
//! assert_eq!(
//!     text,
//!     r#"{"name":"Ada \"the first\"","born":1815,"died":null,"tags":["maths",true]}"#
//! );
//! ```

use std::fmt::Write;

/// What can be written as a JSON value. Implement it for types of your own
/// with [`object_in`].
pub trait Json {
    /// Appends the value.
    fn write(&self, out: &mut String);
}

/// Text that is JSON already. It goes out as it is.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(pub &'a str);

/// An object that is being written.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

/// An array that is being written.
#[derive(Debug)]
pub struct Array<'a> {
    out: &'a mut String,
    first: bool,
}

/// An object as text.
pub fn object(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::new();
    object_in(&mut out, fill);
    out
}

/// An array as text.
pub fn array(fill: impl FnOnce(&mut Array<'_>)) -> String {
    let mut out = String::new();
    array_in(&mut out, fill);
    out
}

/// Appends an object.
pub fn object_in(out: &mut String, fill: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    fill(&mut Object { out, first: true });
    out.push('}');
}

/// Appends an array.
pub fn array_in(out: &mut String, fill: impl FnOnce(&mut Array<'_>)) {
    out.push('[');
    fill(&mut Array { out, first: true });
    out.push(']');
}

/// Appends the text as a JSON string with its quotes. Quotation mark, reverse
/// solidus and control characters are escaped (RFC 8259 section 7), and DEL
/// and the line separators U+2028 and U+2029, which logs and scripts take for
/// more than text.
pub fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\0'..'\u{20}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => "",
            _ => continue,
        };
        out.push_str(text.get(plain..at).unwrap_or(""));
        if short.is_empty() {
            // Writing into a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push_str(short);
        }
        plain = at + c.len_utf8();
    }
    out.push_str(text.get(plain..).unwrap_or(""));
    out.push('"');
}

impl Object<'_> {
    /// Adds a member. Names are not checked for repetition.
    pub fn set(&mut self, name: &str, value: impl Json) {
        self.name(name);
        value.write(self.out);
    }

    /// Adds a member that is an object.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        object_in(self.out, fill);
    }

    /// Adds a member that is an array.
    pub fn array(&mut self, name: &str, fill: impl FnOnce(&mut Array<'_>)) {
        self.name(name);
        array_in(self.out, fill);
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        string(self.out, name);
        self.out.push(':');
    }
}

impl Array<'_> {
    /// Adds an element.
    pub fn push(&mut self, value: impl Json) {
        self.comma();
        value.write(self.out);
    }

    /// Adds an element that is an object.
    pub fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        self.comma();
        object_in(self.out, fill);
    }

    /// Adds an element that is an array.
    pub fn array(&mut self, fill: impl FnOnce(&mut Array<'_>)) {
        self.comma();
        array_in(self.out, fill);
    }

    fn comma(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
    }
}

impl<T: Json + ?Sized> Json for &T {
    fn write(&self, out: &mut String) {
        (**self).write(out);
    }
}

impl Json for str {
    fn write(&self, out: &mut String) {
        string(out, self);
    }
}

impl Json for String {
    fn write(&self, out: &mut String) {
        string(out, self);
    }
}

impl Json for Raw<'_> {
    fn write(&self, out: &mut String) {
        out.push_str(self.0);
    }
}

impl Json for bool {
    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

/// `None` is `null`.
impl<T: Json> Json for Option<T> {
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
}

impl<T: Json> Json for [T] {
    fn write(&self, out: &mut String) {
        array_in(out, |array| self.iter().for_each(|value| array.push(value)));
    }
}

impl<T: Json> Json for Vec<T> {
    fn write(&self, out: &mut String) {
        self.as_slice().write(out);
    }
}

/// JSON has no infinity and no NaN: those are `null`.
impl Json for f64 {
    fn write(&self, out: &mut String) {
        if self.is_finite() {
            let _ = write!(out, "{self}");
        } else {
            out.push_str("null");
        }
    }
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl Json for $type {
            fn write(&self, out: &mut String) {
                let _ = write!(out, "{self}");
            }
        })*
    };
}

integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_where_they_must_be() {
        for (text, want) in [
            ("", r#""""#),
            ("plain é 漢 🦀", r#""plain é 漢 🦀""#),
            ("\"\\/", r#""\"\\/""#),
            ("a\nb\r\tc", r#""a\nb\r\tc""#),
            ("\0\u{1f}\u{7f}", r#""\u0000\u001f\u007f""#),
            ("x\u{2028}y\u{2029}", r#""x\u2028y\u2029""#),
        ] {
            let mut out = String::new();
            string(&mut out, text);
            assert_eq!(out, want);
        }
    }

    #[test]
    fn every_control_character_is_gone() {
        let mut out = String::new();
        string(&mut out, &(0..=0x9f).filter_map(char::from_u32).collect::<String>());
        assert!(!out.chars().any(|c| c.is_ascii_control()), "{out:?}");
    }

    #[test]
    fn objects_and_arrays_nest() {
        let text = object(|o| {
            o.object("empty", |_| {});
            o.array("list", |a| {
                a.array(|_| {});
                a.object(|o| o.set("a", -1));
                a.push(Raw("[2]"));
            });
            o.set("numbers", vec![1.5, f64::NAN, 1e300]);
            o.set("k\"", Some(u64::MAX));
        });
        let big = format!("{}", 1e300);
        let want = format!(
            "{{\"empty\":{{}},\"list\":[[],{{\"a\":-1}},[2]],\
             \"numbers\":[1.5,null,{big}],\"k\\\"\":18446744073709551615}}"
        );
        assert_eq!(text, want);
        assert_eq!(array(|a| a.push([true, false].as_slice())), "[[true,false]]");
    }
}
