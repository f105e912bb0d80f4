//! STAND-IN for the route room, crude on purpose: replaced at merge.
#![allow(dead_code, missing_docs)]

use crate::error::Error;
use crate::http::{Method, Params};
use std::sync::Arc;

struct Line<T> {
    method: Option<Method>,
    pattern: String,
    names: Arc<[Box<str>]>,
    value: T,
}

pub(crate) struct Table<T> {
    lines: Vec<Line<T>>,
    allow: Vec<(String, String)>,
}

pub(crate) enum Lookup<'t, T> {
    Found { value: &'t T, pattern: &'t str },
    Options(&'t str),
    MethodNotAllowed(&'t str),
    NotFound,
}

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Table { lines: Vec::new(), allow: Vec::new() }
    }

    pub(crate) fn insert(
        &mut self,
        method: Option<Method>,
        pattern: &str,
        value: T,
    ) -> Result<(), Error> {
        if !pattern.starts_with('/') {
            return Err(Error::Route(format!("`{pattern}` does not begin with a slash")));
        }
        if self.lines.iter().any(|l| l.method == method && l.pattern == pattern) {
            return Err(Error::Route(format!("`{pattern}` is there twice")));
        }
        let names = pattern
            .split('/')
            .filter(|s| s.starts_with('{'))
            .map(|s| s.trim_matches(['{', '}', '*']).into())
            .collect();
        self.lines.push(Line { method, pattern: pattern.to_owned(), names, value });
        let mut allow = Vec::new();
        for l in self.lines.iter().filter(|l| l.pattern == pattern) {
            if let Some(m) = &l.method {
                allow.push(m.to_string());
                if *m == Method::GET {
                    allow.push("HEAD".to_owned());
                }
            }
        }
        allow.push("OPTIONS".to_owned());
        self.allow.retain(|(p, _)| p != pattern);
        self.allow.push((pattern.to_owned(), allow.join(", ")));
        Ok(())
    }

    pub(crate) fn insert_regex(
        &mut self,
        _: Option<Method>,
        regex: &str,
        _: T,
    ) -> Result<(), Error> {
        Err(Error::Route(format!("`{regex}`: the stand-in knows no regexes")))
    }

    pub(crate) fn lookup<'t>(
        &'t self,
        method: &Method,
        path: &str,
        params: &mut Params,
    ) -> Lookup<'t, T> {
        let mut known = None;
        let named = self.lines.iter().filter(|l| l.method.is_some());
        for l in named.chain(self.lines.iter().filter(|l| l.method.is_none())) {
            params.clear();
            if !matches(&l.pattern, path, params) {
                continue;
            }
            known = Some(l);
            let head = *method == Method::HEAD && l.method == Some(Method::GET);
            if l.method.is_none() || l.method.as_ref() == Some(method) || head {
                if !l.names.is_empty() {
                    params.name(&l.names);
                }
                return Lookup::Found { value: &l.value, pattern: &l.pattern };
            }
        }
        params.clear();
        match known {
            None => Lookup::NotFound,
            Some(l) => {
                let allow = self.allow.iter().find(|(p, _)| *p == l.pattern).map_or("", |(_, a)| a);
                if *method == Method::OPTIONS {
                    Lookup::Options(allow)
                } else {
                    Lookup::MethodNotAllowed(allow)
                }
            }
        }
    }
}

fn matches(pattern: &str, path: &str, params: &mut Params) -> bool {
    let (mut p, mut s) = (pattern.split('/'), path.split('/'));
    loop {
        match (p.next(), s.next()) {
            (None, None) => return true,
            (Some(p), Some(first)) if p.starts_with("{*") => {
                let rest: Vec<&str> = std::iter::once(first).chain(s).collect();
                params.push(&rest.join("/"));
                return true;
            }
            (Some(p), Some(s)) if p.starts_with('{') && !s.is_empty() => params.push(s),
            (Some(p), Some(s)) if p == s => {}
            _ => return false,
        }
    }
}
