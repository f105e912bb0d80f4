//! Percent-encoding in paths and queries (RFC 3986 section 2.1).
