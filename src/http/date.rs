//! Dates as HTTP writes them (RFC 9110 section 5.6.7).
