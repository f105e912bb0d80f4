//! The protocol as clients see it: tests over real sockets, named by the
//! section of RFC 9110 or RFC 9112 that they hold the server to, and one for
//! each of the twenty-two things that new servers get wrong.

#[path = "conformance/common.rs"]
mod common;
#[path = "conformance/items_01_08.rs"]
mod items_01_08;
#[path = "conformance/items_09_13.rs"]
mod items_09_13;
#[path = "conformance/items_14_17.rs"]
mod items_14_17;
#[path = "conformance/items_18_22.rs"]
mod items_18_22;
#[path = "conformance/rfc9110.rs"]
mod rfc9110;
#[path = "conformance/rfc9112.rs"]
mod rfc9112;
mod support;
