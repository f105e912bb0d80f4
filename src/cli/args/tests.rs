use super::*;
use clap::CommandFactory;
use clap::error::ErrorKind;
use onepoll::{Config, Overload};
use std::time::Duration;

fn args(line: &str) -> ServeArgs {
    let args = Args::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
    let Command::Serve(serve) = args.command else { panic!("{line}: another command") };
    *serve
}

#[test]
fn clap_finds_no_fault_in_the_definition() {
    Args::command().debug_assert();
}

#[test]
fn without_flags_the_defaults_are_the_configs() {
    let args = args("onepoll serve");
    assert_eq!(args.root, PathBuf::from("."));
    assert_eq!(
        (args.address.port, args.address.hosts(false)),
        (8080, vec!["127.0.0.1".to_owned()])
    );
    let config = net::config(args.limits.config(), &args.proxies, &args.crowd).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(args.sockets.options(), onepoll::net::SocketOptions::default());
    assert!(args.address.hosts(true).is_empty());
    assert_eq!(args.log_format, LogFormat::Combined);
}

fn help() -> String {
    let mut command = Args::command();
    let serve = command.find_subcommand_mut("serve").unwrap();
    serve.render_long_help().to_string()
}

#[test]
fn the_help_states_the_true_defaults() {
    let help = help();
    let config = Config::default();
    let stated = [
        format!("{}..{}", config.helpers_min, config.helpers_max),
        config.connections_max.to_string(),
        config.requests_per_connection.to_string(),
        format!("{}MiB", config.limits.body_max >> 20),
        format!("{}KiB", config.limits.head_max >> 10),
        format!("{}s", config.head_timeout.as_secs()),
        format!("{}s", config.body_timeout.as_secs()),
        format!("{}s", config.write_timeout.as_secs()),
        format!("{}s", config.idle_timeout.as_secs()),
    ];
    for default in stated {
        assert!(help.contains(&format!("[default: {default}")), "{default} in\n{help}");
    }
}

#[test]
fn the_help_is_in_parts() {
    let help = help();
    let heads = help.lines().filter(|line| !line.starts_with(' ') && line.ends_with(':'));
    let heads: Vec<&str> = heads.filter(|head| *head != "HTTPS:").collect();
    assert_eq!(help.contains("HTTPS:"), cfg!(feature = "tls"));
    assert_eq!(
        heads,
        [
            "Arguments:",
            "Options:",
            "Address:",
            "Behind a proxy:",
            "What is served:",
            "Caching and compression:",
            "Who may do what:",
            "Uploads:",
            "Limits:",
            "Life:",
            "Log:",
            "Examples:",
        ]
    );
}

#[test]
fn every_limit_arrives() {
    let args = args(
        "onepoll serve /srv -p 0 -a ::1 -a localhost --helpers 2..8 --max-conns 500 \
         --max-requests 9 --max-body 2M --max-header-bytes 4k --header-timeout 5 \
         --body-timeout 6s --write-timeout 700ms --keep-alive 1m --overload pause \
         --log-format json -vv",
    );
    let config = args.limits.config();
    assert!(config.check().is_ok());
    assert_eq!(args.root, PathBuf::from("/srv"));
    assert_eq!((args.address.port, args.address.host.join(" ")), (0, "::1 localhost".into()));
    assert_eq!((config.helpers_min, config.helpers_max), (2, 8));
    assert_eq!(config.connections_max, 500);
    assert_eq!(config.requests_per_connection, 9);
    assert_eq!(config.limits.body_max, 2 << 20);
    assert_eq!((config.limits.head_max, config.limits.target_max), (4096, 4096));
    assert_eq!(config.head_timeout, Duration::from_secs(5));
    assert_eq!(config.first_timeout, Duration::from_secs(5));
    assert_eq!(config.body_timeout, Duration::from_secs(6));
    assert_eq!(config.write_timeout, Duration::from_millis(700));
    assert_eq!(config.idle_timeout, Duration::from_secs(60));
    assert_eq!(config.overload, Overload::Pause);
    assert_eq!(args.log_format, LogFormat::Json);
}

#[test]
fn what_is_said_of_proxies_and_crowds_arrives() {
    let args = args(
        "onepoll serve -a unix:/run/x.sock --fd 3 --fd 0 --socket-mode 660 --backlog 9 \
         --user-timeout 20s --trust 10.0.0.0/8 --trust unix --proxy-protocol --forwarded rfc7239 \
         --max-conns-per-address 5 --max-conn-rate 6 --turn-away close --exempt ::1",
    );
    let config = net::config(args.limits.config(), &args.proxies, &args.crowd).unwrap();
    assert!(config.check().is_ok());
    let networks = |texts: &[&str]| onepoll::http::Networks::parse(texts).unwrap();
    assert_eq!(config.trusted, networks(&["10.0.0.0/8", "unix"]));
    assert_eq!(config.proxy_protocol, config.trusted);
    assert_eq!(config.forwarded, onepoll::http::Forwarded::Rfc7239);
    let crowd = config.per_address;
    assert_eq!((crowd.connections_max, crowd.rate_max), (Some(5), Some(6)));
    assert_eq!((crowd.turn_away, crowd.exempt), (onepoll::TurnAway::Close, networks(&["::1"])));
    assert_eq!(args.address.hosts(true), ["unix:/run/x.sock"]);
    assert_eq!(args.sockets.fd, [3, 0]);
    let options = args.sockets.options();
    assert_eq!((options.backlog, options.unix_mode), (9, Some(0o660)));
    assert_eq!(options.tcp_user_timeout, Some(Duration::from_secs(20)));
}

#[test]
fn a_folder_is_no_value_of_the_flag_before_it() {
    for line in [
        "onepoll serve --spa dist",
        "onepoll serve --only html,css --upload dist",
        "onepoll serve --only html --only css dist",
    ] {
        assert_eq!(args(line).root, PathBuf::from("dist"), "{line}");
    }
}

#[test]
fn nonsense_is_refused_by_the_parser() {
    use ErrorKind::{InvalidValue, MissingRequiredArgument, UnknownArgument, ValueValidation};
    let table = [
        ("onepoll", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("onepoll sreve", ErrorKind::InvalidSubcommand),
        ("onepoll serve --prot 1", UnknownArgument),
        ("onepoll serve a b", UnknownArgument),
        ("onepoll serve -p 65536", ValueValidation),
        ("onepoll serve -a http://x", ValueValidation),
        ("onepoll serve -a 127.0.0.1:80", ValueValidation),
        ("onepoll serve --helpers 4..1", ValueValidation),
        ("onepoll serve --max-conns 0", ValueValidation),
        ("onepoll serve --max-requests 0", ValueValidation),
        ("onepoll serve --max-body lots", ValueValidation),
        ("onepoll serve --max-header-bytes 64k", ValueValidation),
        ("onepoll serve --keep-alive soon", ValueValidation),
        ("onepoll serve --keep-alive 0", ValueValidation),
        ("onepoll serve --write-timeout 169h", ValueValidation),
        ("onepoll serve --index a/b", ValueValidation),
        ("onepoll serve --spa=../x", ValueValidation),
        ("onepoll serve --page404 /x", ValueValidation),
        ("onepoll serve --only tar.gz", ValueValidation),
        ("onepoll serve --attachment ,", ValueValidation),
        ("onepoll serve --media-type wasm", ValueValidation),
        ("onepoll serve --media-type wasm=wasm", ValueValidation),
        ("onepoll serve --header X-A", ValueValidation),
        ("onepoll serve --header Content-Length:1", ValueValidation),
        ("onepoll serve --cache-control no-store", ValueValidation),
        ("onepoll serve --cors app.example", ValueValidation),
        ("onepoll serve --upload-max 1M", MissingRequiredArgument),
        ("onepoll serve --overwrite", MissingRequiredArgument),
        ("onepoll serve --overload drop", InvalidValue),
        ("onepoll serve --log-format xml", InvalidValue),
    ];
    for (line, kind) in table {
        let error = Args::try_parse_from(line.split(' ')).expect_err(line);
        assert_eq!(error.kind(), kind, "{line}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}
