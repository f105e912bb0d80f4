use super::*;
use crate::http::Method;

/// The stream of a request made by hand.
fn listen(channel: &Channel, last: Option<&str>) -> Box<dyn Source> {
    let mut request = Request::new(Method::GET, "/");
    if let Some(last) = last {
        request.headers_mut().add("Last-Event-ID", last).unwrap();
    }
    match channel.events(&request).unwrap().take_body() {
        Body::Inline(source, None) => source,
        other => panic!("{other:?}"),
    }
}

fn pull(source: &mut dyn Source) -> (String, io::Result<Pull>) {
    let mut out = Vec::new();
    let pull = source.pull(&mut out, 1 << 16);
    (String::from_utf8(out).unwrap(), pull)
}

#[test]
fn ids_are_given_and_found_again() {
    let channel = Channel::new();
    let mut stream = listen(&channel, None);
    channel.send("one");
    channel.send(Event::new("two").id("mine"));
    channel.send(String::from("three"));
    let (text, more) = pull(stream.as_mut());
    assert!(matches!(more, Ok(Pull::More)));
    let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert!(ids[0].ends_with("-0") && ids[1] == "mine" && ids[2].ends_with("-1"), "{ids:?}");
    let (rest, _) = pull(listen(&channel, Some(ids[0])).as_mut());
    assert_eq!(rest, format!("id: mine\ndata: two\n\nid: {}\ndata: three\n\n", ids[2]));
    let other = Channel::new();
    other.send("one");
    let (text, _) = pull(listen(&other, Some("")).as_mut());
    assert_eq!(text, "", "an empty id is none");
    let (text, _) = pull(listen(&other, Some(ids[0])).as_mut());
    assert!(text.contains("data: one"), "an id of another process is not known");
}

#[test]
fn silence_is_broken_by_comments() {
    let channel = Channel::new().heartbeat(Duration::ZERO);
    let mut stream = listen(&channel, None);
    let (text, more) = pull(stream.as_mut());
    assert_eq!((text.as_str(), more.unwrap()), (":\n\n", Pull::More));
    let channel = Channel::new();
    let mut stream = listen(&channel, None);
    let (text, more) = pull(stream.as_mut());
    let Ok(Pull::After(time)) = more else { panic!("{more:?}") };
    assert!(text.is_empty() && time <= HEARTBEAT, "{time:?}");
}

#[test]
fn the_end_comes_after_what_was_sent() {
    for close in [|channel: Channel| channel.close(), |channel: Channel| drop(channel)] {
        let channel = Channel::new();
        let mut stream = listen(&channel, None);
        channel.send("last");
        close(channel);
        assert!(pull(stream.as_mut()).0.ends_with("data: last\n\n"));
        assert_eq!(pull(stream.as_mut()).1.unwrap(), Pull::End);
    }
}

#[test]
fn who_is_too_slow_is_cut() {
    let channel = Channel::new().keep(2);
    let mut stream = listen(&channel, None);
    (0..3).for_each(|n| channel.send(n.to_string()));
    assert!(pull(stream.as_mut()).1.is_err());
    assert_eq!((channel.cut(), channel.listeners()), (1, 1));
    drop(stream);
    assert_eq!(channel.listeners(), 0);
}

#[test]
fn a_stream_of_ones_own() {
    let (response, channel) = events(&Request::new(Method::GET, "/"));
    assert_eq!(response.get("x-accel-buffering"), Some(&b"no"[..]));
    assert_eq!(response.get("cache-control"), Some(&b"no-store"[..]));
    assert_eq!(channel.listeners(), 1);
    drop(response);
    assert_eq!(channel.listeners(), 0);
}
