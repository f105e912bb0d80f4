//! Which route serves a method and a path.
//!
//! A [`Table`] holds routes: a method (or any), a pattern, and a value. Patterns
//! are split at slashes into segments and merged into a tree; a lookup walks it
//! from the root, one segment of the path after the other.
//!
//! ```text
//!   /users            GET            (root)
//!   /users/me         GET               |  users
//!   /users/{id}       GET, DELETE       o - - - - - - - - - > GET
//!   /users/{id}/log   GET               |         \
//!   /files/{*rest}    GET               |  me      \ {id}
//!                                       |           \
//!                                       GET          o - - > GET, DELETE
//!                                                    |  log
//!                     (root) -- files -- o           GET
//!                                         \ {*rest}
//!                                          GET
//! ```
//!
//! # Patterns
//!
//! | Written | Matches |
//! |---|---|
//! | `/a/b` | just this path |
//! | `{id}`, `:id` | one segment, not empty |
//! | `v{n}`, `{name}.json`, `a{x}b` | the same, with literal text around it |
//! | `{id:\d+}` | the same, if the regex matches the whole decoded value |
//! | `{*rest}`, `*rest` | all that is left, slashes too, even nothing; last |
//! | `^/u/(?P<id>\d+)$` | a regex for the whole path |
//! | `\` | takes the next character literally: `/\{a\}`, `/\:a`, `/100\%` |
//!
//! `:id` and `*rest` are params at the start of a segment only. A segment holds
//! one param at most. Regexes need the feature `regex`.
//!
//! 1. Trailing slashes are significant: `/a` and `/a/` are two paths. So
//!    `/s/{*rest}` matches `/s/` (the rest is empty), and does not match `/s`.
//! 2. A path is matched as [`Request::route_path`] gives it: an encoded slash
//!    (`%2F`) splits no segment, and does not match a `/` in a pattern. Literal
//!    text may be written encoded or not (`/é`, `/%C3%A9`), except in a regex
//!    for the whole path, which sees the path as it is.
//! 3. Captured values are percent-decoded. What is no UTF-8 then is captured by
//!    no param: the pattern does not match, and the lookup goes on to others.
//!    A decoded value can hold anything, `/`, `..` and NUL too: who makes a
//!    file name of it has to look.
//!
//! # Precedence
//!
//! If several patterns match, the **most specific one that has the method**
//! serves the request. In which order they were added never matters.
//!
//! 4. Of two patterns the one wins that is more specific in the **first segment
//!    from the left** in which they differ. There, in this order:
//!    literal > param with a prefix or suffix or constraint > plain param >
//!    wildcard. Among the second kind: the longer prefix, then the longer
//!    suffix, then the one with a constraint, and of two constraints the one
//!    that comes first in the alphabet (write such that exclude each other).
//! 5. If the most specific pattern leads nowhere (further down the path, or
//!    because it lacks the method), the next one is tried. With `GET /a/{x}` and
//!    `POST /a/b`, `GET /a/b` is served by the first.
//! 6. Regexes for whole paths are asked if the tree has found nothing, or only
//!    a pattern that ends in a wildcard; then the best regex that matches and has
//!    the method wins. Of two regexes: the longer literal start, then the longer
//!    text, then the alphabet. This is the only part of a lookup whose cost
//!    grows with the number of routes (those that are regexes).
//! 7. Two patterns that differ in nothing but the names of params **conflict** if
//!    they are for the same method; adding the second is an error that names
//!    both. For different methods, each keeps its own names.
//!
//! # Methods
//!
//! 8. A route for any method comes after those that name the method, at the
//!    same pattern.
//! 9. HEAD is served by the GET route if the pattern has no HEAD route (RFC 9110
//!    section 9.3.2).
//! 10. OPTIONS is answered with `Allow` unless a route that matches is for it, or
//!     for any method ([`Lookup::Options`]).
//! 11. If no pattern that matches has the method: 405 ([`Lookup::MethodNotAllowed`]).
//!     `Allow` is the union of what they have: GET, HEAD (with GET), OPTIONS,
//!     then the others in alphabetical order.
//!
//! # Cost
//!
//! One probe of a hash table per literal segment and none per param, whatever
//! the number of routes; nothing is allocated. No path can make a lookup
//! exponential, because no node of the tree is entered twice.
//!
//! [`Request::route_path`]: crate::http::Request::route_path

mod allow;
mod decode;
mod exact;
mod pattern;
mod regex;
mod scan;
mod table;
mod tree;

pub use pattern::join;
pub use table::{Lookup, Table};
