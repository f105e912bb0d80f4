//! STAND-IN, to be replaced at merge.
use super::{Fault, Framing};
use crate::config::Limits;
use crate::http::Request;

/// Stand-in.
#[derive(Debug, Default)]
pub struct Head {
    begun: bool,
}

impl Head {
    /// Stand-in.
    pub fn parse(
        &mut self,
        _limits: &Limits,
        _input: &[u8],
        _request: &mut Request,
    ) -> Result<Option<(usize, Framing)>, Fault> {
        todo!()
    }

    /// Stand-in.
    pub fn begun(&self) -> bool {
        self.begun
    }
}
