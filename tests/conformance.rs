//! The protocol as clients see it: tests over real sockets, named by the
//! section of RFC 9110 or RFC 9112 that they hold the server to, and one for
//! each of the twenty-two things that new servers get wrong.

#[path = "conformance/common.rs"]
mod common;
#[path = "conformance/items_a.rs"]
mod items_a;
#[path = "conformance/items_b.rs"]
mod items_b;
#[path = "conformance/items_c.rs"]
mod items_c;
mod support;
