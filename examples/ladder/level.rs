//! The levels, and what their texts say of them, in a line each.

use crate::site::Site;
use crate::{level01, level02, level03, level04, level05, level06, level07, level08, level09};
use std::error::Error;

#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) number: usize,
    pub(crate) name: &'static str,
    /// What the ladder should show of it.
    pub(crate) breaks: &'static str,
}

#[rustfmt::skip]
pub(crate) const LEVELS: [Level; 10] = [
    Level { number: 1, name: "blocking",
        breaks: "the second client waits for the first; one slowloris ends it all" },
    Level { number: 2, name: "thread per client",
        breaks: "threads and memory grow with the connections" },
    Level { number: 3, name: "thread pool",
        breaks: "the seventeenth connection gets no reply" },
    Level { number: 4, name: "bare poll loop",
        breaks: "one reader of slow files stops everybody for 200 ms each time" },
    Level { number: 5, name: "helpers for files",
        breaks: "a slowloris stays for ever" },
    Level { number: 6, name: "deadlines",
        breaks: "a head without end is kept to its last byte" },
    Level { number: 7, name: "limits",
        breaks: "a path leads out of the folder" },
    Level { number: 8, name: "path jail",
        breaks: "nothing breaks; nobody is remembered" },
    Level { number: 9, name: "sessions",
        breaks: "nothing breaks; it is a toy for one site" },
    Level { number: 10, name: "onepoll",
        breaks: "nothing, we hope" },
];

impl Level {
    /// The level of that number.
    pub(crate) fn of(number: usize) -> Option<&'static Level> {
        LEVELS.iter().find(|level| level.number == number)
    }

    /// Serves until the process ends.
    pub(crate) fn serve(&self, site: &Site) -> Result<(), Box<dyn Error>> {
        let served = match self.number {
            1 => level01::run(site),
            2 => level02::run(site),
            3 => level03::run(site),
            4 => level04::run(site),
            5 => level05::run(site),
            6 => level06::run(site),
            7 => level07::run(site),
            8 => level08::run(site),
            9 => level09::run(site),
            _ => return Ok(crate::level10::run(site)?),
        };
        Ok(served?)
    }

    /// `04 bare poll loop`
    pub(crate) fn title(&self) -> String {
        format!("{:02} {}", self.number, self.name)
    }
}
