//! Other limits and times while clients are there.
//!
//! Deadlines follow from a connection's state and the configuration, so a shorter
//! time only needs each connection to be asked again: the sweep does that, some
//! slots a turn, as for a drain. What was sized by the old configuration when the
//! loop began (helpers, the account of buffers, the name in replies) stays.

use super::accept::REFUSALS_MAX;
use super::clock::Span;
use super::inbox::Ask;
use super::turn::Reactor;
use super::world::World;
use crate::config::Config;
use crate::http::Service;

impl<S: Service, W: World> Reactor<S, W> {
    pub(crate) fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Turn => {} // this is one
            Ask::Report => self.report(),
            Ask::Unready => self.shared.stats.unready.set(1),
        }
    }

    /// Takes what can be changed of a configuration that was checked.
    pub(crate) fn reconfigure(&mut self, new: Config) {
        if self.shared.draining {
            return; // its times are those of the drain
        }
        let old = &mut self.shared.config;
        *old = Config {
            buffers_max: old.buffers_max,
            helpers_min: old.helpers_min,
            helpers_max: old.helpers_max,
            helper_queue: old.helper_queue,
            join_limit: old.join_limit,
            blame: old.blame,
            server_name: old.server_name.take(),
            ..new
        };
        self.shared.idle = Span::of(old.idle_timeout);
        // Never unset: what was believed once is to be wiped off.
        self.shared.believing |= !old.trusted.is_empty();
        self.shared.inbox.serve(old.connections_max.saturating_add(REFUSALS_MAX));
        self.accepting.resume();
        self.begin_sweep();
    }
}
