//! Methods, and the answers when a path has routes but none for the method.

use crate::Error;
use crate::http::{Method, Params};
use std::fmt;

/// Routes and what they lead to.
pub struct Table<T> {
    values: Vec<T>,
}

/// What a [`Table`] knows about a method and a path.
#[derive(Debug)]
pub enum Lookup<'t, T> {
    /// A route serves it.
    Found {
        /// What the route leads to.
        value: &'t T,
        /// The route's pattern as it was given, for logs and metrics.
        pattern: &'t str,
    },
    /// `OPTIONS`, and no route for it: answer with this `Allow` field.
    Options(&'t str),
    /// The path has routes, none for the method: 405 with this `Allow` field.
    MethodNotAllowed(&'t str),
    /// No route matches the path: 404.
    NotFound,
}

impl<T> Table<T> {
    /// A table without routes.
    pub fn new() -> Self {
        Table { values: Vec::new() }
    }

    /// Adds a route; `None` stands for any method.
    ///
    /// # Errors
    /// `Error::Route` if the pattern is none, or nothing tells it from another.
    pub fn insert(&mut self, _: Option<Method>, _: &str, value: T) -> Result<(), Error> {
        self.values.push(value);
        Ok(())
    }

    /// Adds a route whose regex matches whole paths.
    ///
    /// # Errors
    /// `Error::Route`, also if the feature `regex` is not built in.
    pub fn insert_regex(&mut self, _: Option<Method>, _: &str, value: T) -> Result<(), Error> {
        self.values.push(value);
        Ok(())
    }

    /// Finds the route for a method and a path and fills in the params.
    pub fn lookup<'t>(&'t self, _: &Method, _: &str, params: &mut Params) -> Lookup<'t, T> {
        params.clear();
        Lookup::NotFound
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table::new()
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

/// Puts a prefix before a pattern: `/api` and `/users` make `/api/users`.
///
/// # Errors
/// `Error::Route` if the prefix does not start with a slash.
pub fn join(prefix: &str, pattern: &str) -> Result<String, Error> {
    Ok(format!("{prefix}{pattern}"))
}
