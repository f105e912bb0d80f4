use super::*;
use crate::http::Home;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Keeps whom it should wake.
#[derive(Default)]
struct Bell(Mutex<VecDeque<u64>>);

impl Home for Bell {
    fn wake(&self, connection: u64) {
        self.0.lock().unwrap().push_back(connection);
    }
}

/// Clients of a hub: those that read take all they are given, the others nothing.
struct Room {
    hub: Hub,
    bell: Arc<Bell>,
    /// By connection: its place, the event it wants, what it got.
    clients: Vec<Option<(usize, u64, Vec<u8>)>>,
    sent: u8,
    outstanding_max: usize,
}

impl Room {
    fn new(keep: usize) -> Room {
        let hub = Hub::new(keep, usize::MAX);
        let bell = Arc::<Bell>::default();
        Room { hub, bell, clients: Vec::new(), sent: 0, outstanding_max: 0 }
    }

    fn join(&mut self) {
        let home = Arc::clone(&self.bell) as Arc<dyn Home>;
        let wake = Wake::new(home, self.clients.len() as u64);
        let (place, wants) = self.hub.join(Some(wake), None).unwrap();
        self.clients.push(Some((place, wants, Vec::new())));
        self.come(self.clients.len() - 1);
    }

    fn send(&mut self) {
        self.sent += 1;
        self.hub.put(self.sent.to_string().into(), Arc::from([self.sent]));
        self.ring();
    }

    fn ring(&mut self) {
        self.hub.wave().iter().for_each(Wake::wake);
        let states = self.hub.streams.iter().filter(|(_, stream)| stream.state == State::Woken);
        assert_eq!(states.count(), self.hub.woken);
        self.outstanding_max = self.outstanding_max.max(self.hub.woken);
    }

    /// A client's connection is driven: its stream is pulled until it is parked.
    fn come(&mut self, client: usize) {
        while let Some(Some((place, wants, got))) = self.clients.get_mut(client) {
            let place = *place;
            match self.hub.take(place, wants, got, 2, false) {
                Taken::Some => {}
                Taken::Nothing => {
                    self.hub.park(place, *wants);
                    break;
                }
                Taken::Lost | Taken::End => {
                    self.hub.leave(place);
                    self.clients[client] = None;
                }
            }
            self.ring();
        }
        self.ring();
    }

    fn leave(&mut self, client: usize) {
        if let Some((place, ..)) = self.clients.get_mut(client).and_then(Option::take) {
            self.hub.leave(place);
            self.ring();
        }
    }

    /// The loop delivers one wake, if there is one.
    fn turn(&mut self) -> bool {
        let next = self.bell.0.lock().unwrap().pop_front();
        next.inspect(|client| self.come(*client as usize)).is_some()
    }
}

#[test]
fn a_broadcast_is_a_wave() {
    let mut room = Room::new(256);
    (0..1000).for_each(|_| room.join());
    room.send();
    assert_eq!(room.bell.0.lock().unwrap().len(), WAVE);
    let mut turns = 0;
    while room.turn() {
        turns += 1;
    }
    assert_eq!((turns, room.outstanding_max), (1000, WAVE));
    assert!(room.clients.iter().flatten().all(|(_, _, got)| got == &[1]));
}

#[test]
fn the_queue_stays_in_proportion() {
    let mut room = Room::new(4);
    room.join();
    for _ in 0..10_000 {
        room.come(0); // as for heartbeats
    }
    assert!(room.hub.parked.len() <= 2 + WAVE);
    for client in 1..5_000 {
        room.join();
        room.leave(client);
    }
    assert!(room.hub.parked.len() <= 2 + WAVE);
}

#[test]
fn closing_wakes_everybody() {
    let mut room = Room::new(4);
    (0..300).for_each(|_| room.join());
    room.hub.close();
    room.ring();
    while room.turn() {}
    assert_eq!(room.hub.len(), 0);
}

#[test]
fn who_comes_back_gets_the_rest() {
    let mut hub = Hub::new(3, 2);
    for id in ["a", "b", "c", "d"] {
        hub.put(id.into(), Arc::from(id.as_bytes()));
    }
    for (after, want) in [("b", "cd"), ("d", ""), ("a", "bcd"), ("unknown", "bcd")] {
        let (place, mut wants) = hub.join(None, Some(after.as_bytes())).unwrap();
        let mut out = Vec::new();
        hub.take(place, &mut wants, &mut out, 100, false);
        assert_eq!(out.escape_ascii().to_string(), want, "after {after}");
        hub.leave(place);
    }
    assert_eq!(hub.join(None, None).unwrap().1, 4);
    assert!(hub.join(None, None).is_some());
    assert!(hub.join(None, None).is_none(), "there is room for two");
}

proptest! {
    /// Whatever happens in whatever order: in the end everybody has every event
    /// since they came, in order, or was cut since they were too far behind.
    #[test]
    fn nobody_is_forgotten(
        keep in 1..6_usize,
        steps in prop::collection::vec((0..6_u8, 0..40_usize), 0..300),
    ) {
        let mut room = Room::new(keep);
        let mut since = Vec::new();
        let mut left = BTreeSet::new();
        for (step, client) in steps {
            match step {
                0 => {
                    since.push(room.sent);
                    room.join();
                }
                1 if room.sent < 250 => room.send(),
                2 => {
                    left.insert(client);
                    room.leave(client);
                }
                3 => room.come(client), // a heartbeat
                _ => drop(room.turn()),
            }
            prop_assert!(room.outstanding_max <= WAVE);
        }
        while room.turn() {}
        prop_assert_eq!(room.hub.woken, 0);
        let mut cut = 0;
        for (client, since) in since.iter().enumerate() {
            let want: Vec<u8> = (since + 1..=room.sent).collect();
            match &room.clients[client] {
                Some((.., got)) => prop_assert_eq!(got, &want),
                None if left.contains(&client) => {}
                None => cut += 1,
            }
        }
        prop_assert!(room.hub.cut() >= cut);
        prop_assert_eq!(room.hub.len(), room.clients.iter().flatten().count());
    }
}
