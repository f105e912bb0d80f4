use super::*;
use clap::CommandFactory;
use clap::error::ErrorKind;

fn options(line: &str) -> Result<ServeOptions, Error> {
    let args = Args::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
    let Command::Serve(serve) = args.command;
    serve.options()
}

#[test]
fn clap_finds_no_fault_in_the_definition() {
    Args::command().debug_assert();
}

#[test]
fn without_flags_the_defaults_are_the_configs() {
    let options = options("onepoll serve").unwrap();
    assert_eq!(options.root, PathBuf::from("."));
    assert_eq!(options.index, "index.html");
    assert_eq!(options.address.to_string(), "127.0.0.1:8080");
    assert_eq!(options.config, Config::default());
    assert_eq!(options.log_format, LogFormat::Combined);
}

#[test]
fn the_help_states_the_true_defaults() {
    let mut command = Args::command();
    let serve = command.find_subcommand_mut("serve").unwrap();
    let help = serve.render_long_help().to_string();
    let config = Config::default();
    let stated = [
        format!("{}..{}", config.helpers_min, config.helpers_max),
        config.connections_max.to_string(),
        format!("{}MiB", config.limits.body_max >> 20),
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
fn every_flag_arrives() {
    let options = options(
        "onepoll serve /srv -p 0 -a ::1 --index home.htm --helpers 2..8 --max-conns 500 \
         --max-body 2M --header-timeout 5 --body-timeout 6s --write-timeout 700ms \
         --keep-alive 1m --overload pause --log-format json -vv",
    )
    .unwrap();
    let config = options.config;
    assert_eq!(options.root, PathBuf::from("/srv"));
    assert_eq!(options.address.to_string(), "[::1]:0");
    assert_eq!(options.index, "home.htm");
    assert_eq!((config.helpers_min, config.helpers_max), (2, 8));
    assert_eq!(config.connections_max, 500);
    assert_eq!(config.limits.body_max, 2 << 20);
    assert_eq!(config.head_timeout, Duration::from_secs(5));
    assert_eq!(config.first_timeout, Duration::from_secs(5));
    assert_eq!(config.body_timeout, Duration::from_secs(6));
    assert_eq!(config.write_timeout, Duration::from_millis(700));
    assert_eq!(config.idle_timeout, Duration::from_secs(60));
    assert_eq!(config.overload, Overload::Pause);
    assert_eq!(options.log_format, LogFormat::Json);
}

#[test]
fn nonsense_is_refused_by_the_parser() {
    let table = [
        ("onepoll", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("onepoll sreve", ErrorKind::InvalidSubcommand),
        ("onepoll serve --prot 1", ErrorKind::UnknownArgument),
        ("onepoll serve -p 65536", ErrorKind::ValueValidation),
        ("onepoll serve --helpers 4..1", ErrorKind::ValueValidation),
        ("onepoll serve --keep-alive soon", ErrorKind::ValueValidation),
        ("onepoll serve --max-body lots", ErrorKind::ValueValidation),
        ("onepoll serve --index a/b", ErrorKind::ValueValidation),
        ("onepoll serve --overload drop", ErrorKind::InvalidValue),
        ("onepoll serve a b", ErrorKind::UnknownArgument),
    ];
    for (line, kind) in table {
        let error = Args::try_parse_from(line.split(' ')).expect_err(line);
        assert_eq!(error.kind(), kind, "{line}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn values_that_the_config_refuses_are_usage_errors() {
    for line in ["onepoll serve --max-conns 0", "onepoll serve --keep-alive 0"] {
        assert!(matches!(options(line), Err(Error::Config { .. })), "{line}");
    }
}
