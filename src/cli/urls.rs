//! Where people can open what is served.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// URLs that are named; a machine with many interfaces has too many for a line.
const SHOWN_MAX: usize = 8;

/// All of them in one line: `http://127.0.0.1:8080/ and http://[::1]:8080/`. For
/// a listener on every interface it is their addresses.
pub(super) fn list(scheme: &str, listeners: &[SocketAddr]) -> String {
    // Asked only if need be: it takes a while on machines with many.
    let of_interfaces = if listeners.iter().any(|address| address.ip().is_unspecified()) {
        interfaces()
    } else {
        Vec::new()
    };
    // Several loops may have a socket each.
    let mut once: Vec<SocketAddr> = Vec::new();
    for address in listeners {
        if !once.contains(address) {
            once.push(*address);
        }
    }
    line(scheme, &open(&once, &of_interfaces))
}

/// Addresses that a client can connect to.
fn open(listeners: &[SocketAddr], interfaces: &[IpAddr]) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for listener in listeners {
        let any = listener.ip().is_unspecified();
        // `::` takes both kinds.
        let own = interfaces.iter().filter(|ip| any && (ip.is_ipv4() || listener.is_ipv6()));
        let mut own: Vec<_> = own.map(|&ip| SocketAddr::new(ip, listener.port())).collect();
        if own.is_empty() {
            own.push(*listener);
        }
        for address in own {
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

fn line(scheme: &str, addresses: &[SocketAddr]) -> String {
    let more = addresses.len().saturating_sub(SHOWN_MAX);
    let shown = addresses.iter().take(SHOWN_MAX);
    let mut items: Vec<String> = shown.map(|address| format!("{scheme}://{address}/")).collect();
    if more > 0 {
        items.push(format!("{more} more"));
    }
    let mut line = String::new();
    for (at, item) in items.iter().enumerate() {
        let last = at + 1 == items.len();
        line.push_str(if at == 0 {
            ""
        } else if last {
            " and "
        } else {
            ", "
        });
        let _ = write!(line, "{item}");
    }
    line
}

/// Addresses of this machine, its own loopback first, IPv4 first. Link-local
/// ones are left out: in a URL they need the name of an interface.
pub(super) fn interfaces() -> Vec<IpAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        log::debug!("this machine's addresses can't be had: {error}");
        Vec::new()
    });
    let mut found: Vec<IpAddr> = found.iter().map(if_addrs::Interface::ip).collect();
    found.retain(|ip| match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    });
    found.sort_by_key(|ip| (!ip.is_loopback(), ip.is_ipv6()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(listeners: &[&str]) -> String {
        let interfaces = ["127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"];
        let listeners: Vec<_> = listeners.iter().map(|text| text.parse().unwrap()).collect();
        line("http", &open(&listeners, &interfaces.map(|text| text.parse().unwrap())))
    }

    #[test]
    fn a_line_names_what_can_be_opened() {
        let table: [(&[&str], &str); 6] = [
            (&["127.0.0.1:8080"], "http://127.0.0.1:8080/"),
            (&["127.0.0.1:1", "[::1]:2"], "http://127.0.0.1:1/ and http://[::1]:2/"),
            (&["0.0.0.0:80"], "http://127.0.0.1:80/ and http://192.0.2.7:80/"),
            (
                &["[::]:80"],
                "http://127.0.0.1:80/, http://[::1]:80/, http://192.0.2.7:80/ and \
                 http://[2001:db8::7]:80/",
            ),
            (&["127.0.0.1:80", "0.0.0.0:80"], "http://127.0.0.1:80/ and http://192.0.2.7:80/"),
            (&[], ""),
        ];
        for (listeners, expected) in table {
            assert_eq!(shown(listeners), expected, "{listeners:?}");
        }
    }

    #[test]
    fn a_line_is_not_endless() {
        let many: Vec<SocketAddr> = (1..=20).map(|n| ([10, 0, 0, n], 80).into()).collect();
        let line = line("http", &many);
        assert!(line.ends_with("http://10.0.0.8:80/ and 12 more"), "{line}");
    }

    #[test]
    fn without_interfaces_the_listener_itself_is_named() {
        let any = ["0.0.0.0:80".parse().unwrap()];
        assert_eq!(line("http", &open(&any, &[])), "http://0.0.0.0:80/");
    }
}
