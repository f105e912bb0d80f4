use super::*;
use crate::net::Probes;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

#[track_caller]
fn accepted(listener: &Listener) -> Stream {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return stream,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

fn listener_on(options: &SocketOptions) -> (Listener, std::net::TcpStream) {
    let listener = Listener::with("127.0.0.1:0".parse().unwrap(), false, options).unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener, client)
}

/// A stream that is pending has no deadline: this is what ends it.
#[test]
fn accepted_sockets_are_probed() {
    let (listener, _client) = listener_on(&SocketOptions::default());
    let Stream::Tcp(accepted) = accepted(&listener) else { panic!("not TCP") };
    let socket = SockRef::from(&accepted);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(15));
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
    assert!(socket.tcp_nodelay().unwrap());
}

#[test]
fn accepted_sockets_inherit_what_was_set() {
    let second = Duration::from_secs(1);
    let options = SocketOptions {
        backlog: 7,
        tcp_nodelay: false,
        probes: Some(Probes { after: 9 * second, every: 2 * second, count: 3 }),
        tcp_user_timeout: Some(5 * second),
        tcp_notsent_lowat: Some(4096),
        reuse_port: false,
        unix_mode: None,
    };
    let none = SocketOptions { probes: None, ..options };
    // Set before and after it listens.
    let (before, _one) = listener_on(&options);
    let mut after = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    after.set(&options).unwrap();
    let _two = std::net::TcpStream::connect(after.local_addr().unwrap()).unwrap();
    for listener in [&before, &after] {
        let Stream::Tcp(accepted) = accepted(listener) else { panic!("not TCP") };
        let socket = SockRef::from(&accepted);
        assert!(!socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), 9 * second);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(5 * second));
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), 4096);
    }
    let (without, _three) = listener_on(&none);
    let Stream::Tcp(accepted) = accepted(&without) else { panic!("not TCP") };
    assert!(!SockRef::from(&accepted).keepalive().unwrap());
}

/// A path of this test's own, with nothing there.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("onepoll-{}-{name}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn unix(path: &Path) -> io::Result<Listener> {
    Listener::unix(path, &SocketOptions::default())
}

#[test]
fn a_unix_socket_comes_and_goes_with_its_listener() {
    let path = path("goes");
    let options = SocketOptions { unix_mode: Some(0o640), ..SocketOptions::default() };
    let listener = Listener::unix(&path, &options).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(listener.to_string(), format!("unix:{}", path.display()));
    assert!(listener.local_addr().is_err());
    let _client = UnixStream::connect(&path).unwrap();
    assert!(matches!(accepted(&listener), Stream::Unix(_)));
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn what_was_left_behind_is_replaced_and_what_lives_is_not() {
    let path = path("stale");
    drop(UnixListener::bind(&path).unwrap()); // std leaves the file
    assert!(path.exists());
    let listener = unix(&path).unwrap();
    let error = unix(&path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    // Who failed has not taken the file along.
    assert!(UnixStream::connect(&path).is_ok());
    drop(listener);
    std::fs::write(&path, "text").unwrap();
    let error = unix(&path).unwrap_err();
    assert_eq!(error.to_string(), "there is a file of that name which is no socket");
    assert!(path.exists());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(unix(&path.join("in/none.sock")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(unix(Path::new(&"x".repeat(200))).is_err());
}

#[test]
fn another_s_file_is_left_alone() {
    let path = path("another");
    let old = unix(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let new = unix(&path).unwrap();
    drop(old);
    assert!(UnixStream::connect(&path).is_ok(), "the new one's file");
    let clone = new.try_clone().unwrap();
    drop(new);
    assert!(UnixStream::connect(&path).is_ok(), "its clone is there");
    clone.keep_file(false);
    drop(clone);
    assert!(path.exists(), "it was handed over");
    std::fs::remove_file(&path).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names_have_no_file() {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("@onepoll-test-{}", std::process::id());
    let listener = unix(Path::new(&name)).unwrap();
    assert_eq!(listener.to_string(), format!("unix:{name}"));
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name[1..]).unwrap();
    let _client = UnixStream::connect_addr(&address).unwrap();
    assert!(matches!(accepted(&listener), Stream::Unix(_)));
    assert_eq!(unix(Path::new(&name)).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert!(unix(Path::new("@")).is_err());
    assert!(!Path::new(&name).exists());
}

#[test]
fn what_can_t_be_inherited_says_why() {
    let (one, _other) = UnixStream::pair().unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let table: [(OwnedFd, &str); 3] = [
        (std::fs::File::open("/dev/null").unwrap().into(), "it is no socket"),
        (one.into(), "it is a socket on which nobody listens"),
        (udp.into(), "it is a socket, but not of streams"),
    ];
    for (descriptor, why) in table {
        assert_eq!(Listener::inherit(descriptor).unwrap_err().to_string(), why);
    }
}

#[test]
fn an_inherited_listener_takes_clients_and_leaves_its_file() {
    let path = path("inherited");
    let made = UnixListener::bind(&path).unwrap();
    let listener = Listener::inherit(made.into()).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    assert!(matches!(accepted(&listener), Stream::Unix(_)));
    drop(listener);
    assert!(path.exists());
    std::fs::remove_file(&path).unwrap();
}
