//! A form that was sent: its fields and its files.

use super::UploadedFile;
use crate::http::multipart::{Fault, Fields};
use crate::http::{Refusal, Status};
use std::str::FromStr;

/// Fields and files of a form, complete. The fields are text; files that aren't kept
/// are gone when the handler has returned.
#[derive(Debug)]
pub struct UploadedForm {
    fields: Fields,
    files: Vec<UploadedFile>,
}

impl UploadedForm {
    /// # Errors
    /// A [`Refusal`] with 400 if a field isn't UTF-8.
    pub(super) fn new(fields: Fields, files: Vec<UploadedFile>) -> Result<UploadedForm, Refusal> {
        if fields.iter().any(|(_, value)| std::str::from_utf8(value).is_err()) {
            return Err(Refusal::new(Status::BAD_REQUEST, "a field of the form is not UTF-8"));
        }
        Ok(UploadedForm { fields, files })
    }

    /// The first value of that name; `None` if there is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.text(name)
    }

    /// All values of that name, in order: of boxes that were ticked, say.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields().filter(move |(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Names and values of all fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |value| std::str::from_utf8(value).unwrap_or_default();
        self.fields.iter().map(move |(name, value)| (name, text(value)))
    }

    /// The first value of that name, which must be there; it may be empty.
    ///
    /// # Errors
    /// A [`Refusal`] with 422 that names the field, to be returned with `?`.
    pub fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| refuse("field", name, "is missing"))
    }

    /// The first value of that name as a `T`, without white space around it.
    ///
    /// # Errors
    /// As [`need`](UploadedForm::need), also if it is no `T`.
    pub fn parse<T: FromStr>(&self, name: &str) -> Result<T, Refusal> {
        let value = self.need(name)?.trim();
        value.parse().map_err(|_| refuse("field", name, "is not valid"))
    }

    /// As [`parse`](UploadedForm::parse), for a field that may be missing or empty.
    ///
    /// # Errors
    /// If something is there that is no `T`.
    pub fn parse_if_any<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        match self.get(name) {
            Some(value) if !value.trim().is_empty() => self.parse(name).map(Some),
            _ => Ok(None),
        }
    }

    /// The files, in order. File fields for which the form's user chose nothing are
    /// not among them.
    pub fn files(&self) -> &[UploadedFile] {
        &self.files
    }

    /// The first file of that field; `None` if there is none.
    pub fn file(&self, field: &str) -> Option<&UploadedFile> {
        self.files.iter().find(|file| file.field() == field)
    }

    /// The first file of that field, which must be there.
    ///
    /// # Errors
    /// A [`Refusal`] with 422 that names the field, to be returned with `?`.
    pub fn need_file(&self, field: &str) -> Result<&UploadedFile, Refusal> {
        self.file(field).ok_or_else(|| refuse("file", field, "is missing"))
    }

    /// Keeps all files, each [as unique](UploadedFile::keep_as_unique), or none; the
    /// names that they have got, in order.
    ///
    /// # Errors
    /// As for one of them; those that were kept before it are taken back.
    pub fn keep_all(&self) -> Result<Vec<String>, Refusal> {
        let mut names = Vec::new();
        for file in &self.files {
            match file.keep_as_unique() {
                Ok(name) => names.push(name),
                Err(refusal) => {
                    self.files.iter().take(names.len()).for_each(take_back);
                    return Err(refusal);
                }
            }
        }
        Ok(names)
    }
}

fn take_back(file: &UploadedFile) {
    if let Err(error) = file.take_back() {
        log::warn!("{file:?} of an upload that failed can't be removed: {error}");
    }
}

/// The name is the program's own, not the client's.
fn refuse(kind: &str, name: &str, what: &str) -> Refusal {
    Refusal::new(Status::UNPROCESSABLE_CONTENT, format!("the {kind} `{name}` {what}"))
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::new(fault.status, fault.reason)
    }
}
