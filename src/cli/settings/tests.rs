use super::*;
use crate::cli::args::{Command, ServeArgs};
use std::path::PathBuf;

/// A file of settings that is gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let name = format!("onepoll-settings-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn layers(
    name: &str,
    line: &str,
    variables: &[(&str, &str)],
    text: &str,
) -> Result<Settings, Wrong> {
    let file = File::new(name, text);
    let mut words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    words.push(format!("--config={}", file.0.display()).into());
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    read(words, &Surroundings { variables })
}

fn serve(settings: &Settings) -> &ServeArgs {
    let Command::Serve(args) = &settings.args.command else { panic!("serve was asked for") };
    args
}

/// What is said, without the path of the file.
#[track_caller]
fn complaint(name: &str, line: &str, variables: &[(&str, &str)], text: &str) -> String {
    let path = File::new(name, "").0.display().to_string();
    match layers(name, line, variables, text) {
        Ok(_) => panic!("{line} {variables:?} {text:?}: nothing is wrong with it"),
        Err(Wrong::Layer(why)) => why.replace(&path, "FILE"),
        Err(Wrong::Usage(error)) => format!("usage: {}", one_line(&error.to_string())),
    }
}

#[test]
fn the_higher_layer_counts() {
    let text = "port = 1\nkeep-alive = \"3s\"\nmax_conns = 7\nhost = [\"::1\", \"127.0.0.1\"]\n\
                listing = true\nspa = true\nroot = \"/srv\"\nverbose = 2\nonly = [\"a\", \"b\"]\n";
    let variables = [
        ("ONEPOLL_PORT", "2"),
        ("PORT", "3"),
        ("ONEPOLL_KEEP_ALIVE", "4"),
        ("ONEPOLL_HIDDEN", "1"),
    ];
    let settings = layers("all", "onepoll serve -p 5", &variables, text).unwrap_or_else(|error| {
        panic!("{error:?}");
    });
    let args = serve(&settings);
    assert_eq!(args.address.port, 5);
    assert_eq!(args.address.host, ["::1", "127.0.0.1"]);
    let config = args.limits.config();
    assert_eq!(config.idle_timeout.as_secs(), 4);
    assert_eq!(config.connections_max, 7);
    assert_eq!(args.root, PathBuf::from("/srv"));
    assert_eq!(settings.args.verbose, 2);
    let shown = show(&settings);
    let lines = [
        ("root = \"/srv\"", "toml:7"),
        ("port = \"5\"", "--port"),
        ("host = [\"::1\", \"127.0.0.1\"]", "toml:4"),
        ("listing = true", "toml:5"),
        ("hidden = true", "ONEPOLL_HIDDEN"),
        ("only = [\"a\", \"b\"]", "toml:9"),
        ("spa = \"index.html\"", "toml:6"),
        ("max-conns = \"7\"", "toml:3"),
        ("keep-alive = \"4\"", "ONEPOLL_KEEP_ALIVE"),
        ("# max-requests: 10000", "default"),
        ("overload = \"503\"", "default"),
        ("verbose = 2", "toml:8"),
    ];
    for (value, source) in lines {
        let line = shown.lines().find(|line| line.starts_with(&format!("{value} ")));
        let line = line.unwrap_or_else(|| panic!("{value} in\n{shown}"));
        assert!(line.ends_with(source) && line.contains("  # "), "{line}");
    }
}

#[test]
fn port_is_for_who_says_nothing_else() {
    for (variables, text, port) in [
        (&[("PORT", "3")][..], "", 3),
        (&[("PORT", "3")], "port = 1", 3),
        (&[("PORT", "3"), ("ONEPOLL_PORT", "")], "port = 1", 3),
        (&[("PORT", "")], "port = 1", 1),
        (&[], "", 8080),
    ] {
        let settings = layers("port", "onepoll serve", variables, text);
        assert_eq!(serve(&settings.unwrap_or_else(|e| panic!("{e:?}"))).address.port, port);
    }
}

#[test]
fn switches_can_be_turned_off_above() {
    let on = "listing = true\nspa = \"a.html\"\nupload = true\noverwrite = true\n";
    let table = [
        ("onepoll serve", &[][..], true),
        ("onepoll serve --listing=false", &[], false),
        ("onepoll serve --listing=true", &[("ONEPOLL_LISTING", "off")], true),
        ("onepoll serve", &[("ONEPOLL_LISTING", "off")], false),
        ("onepoll serve", &[("ONEPOLL_LISTING", "Yes")], true),
    ];
    for (line, variables, is_on) in table {
        let settings = layers("off", line, variables, on).unwrap_or_else(|e| panic!("{e:?}"));
        let shown = show(&settings);
        assert!(shown.contains(&format!("listing = {is_on} ")), "{line} {variables:?}\n{shown}");
    }
    // Behind a `--` it is a folder.
    let settings = layers("off2", "onepoll serve -- --listing=false", &[], on);
    assert!(matches!(settings, Err(Wrong::Usage(_))), "the --config behind it is one too many");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let table = [
        ("prot = 1", "FILE:1: prot: there is no such setting; a similar one: port"),
        ("\n\nzzz = 1", "FILE:3: zzz: there is no such setting"),
        ("config = \"a\"", "FILE:1: config: there is no such setting"),
        ("port = true", "FILE:1: port: expected a value, not true or false"),
        ("port = 1.5", "FILE:1: port: expected no fraction"),
        ("port = 0x10", "FILE:1: port: expected a decimal number"),
        ("port = [1]", "FILE:1: port: expected one value"),
        ("port = 2026-01-01", "FILE:1: port: expected a value, not a date"),
        ("host = [[\"a\"]]", "FILE:1: host: expected texts or numbers in the list"),
        (
            "port = 70000",
            "FILE:1: invalid value '70000' for '--port <PORT>': expected a number from 0 to 65535",
        ),
        ("listing = \"yes\"", "FILE:1: listing: expected true or false"),
        ("verbose = 9", "FILE:1: verbose: expected a number from 0 to 3"),
        ("# a\n[limits]\nport = 1", "FILE:2: limits: there is no such setting"),
        ("max-conns = 1\nmax_conns = 2", "FILE:2: max_conns: it is set in line 1 already"),
        (
            "port = 1\noverwrite = true",
            "FILE:2: overwrite: the following required arguments were not provided: --upload",
        ),
        ("index = \"a\\u0000\"", "FILE:1: index: a null byte in it"),
    ];
    for (i, (text, expected)) in table.into_iter().enumerate() {
        let told = complaint(&format!("wrong-{i}"), "onepoll serve", &[], text);
        assert_eq!(told, expected, "{text}");
    }
    for (i, text) in
        ["port = ", "port", "port = 1\nport = 2", "[", "= 1", "a = \"\n"].iter().enumerate()
    {
        let told = complaint(&format!("broken-{i}"), "onepoll serve", &[], text);
        assert!(told.starts_with("FILE:") && !told.contains('\n'), "{text:?}: {told}");
    }
    let variables = [("ONEPOLL_PORT", "tcp://10.0.0.1:80")];
    assert_eq!(
        complaint("variable", "onepoll serve", &variables, ""),
        "ONEPOLL_PORT: invalid value 'tcp://10.0.0.1:80' for '--port <PORT>': expected a number \
         from 0 to 65535"
    );
    // Also if a flag overrules it.
    assert!(complaint("over", "onepoll serve -p 1", &[("PORT", "x")], "").starts_with("PORT: "));
    let told = complaint("switch", "onepoll serve", &[("ONEPOLL_LISTING", "maybe")], "");
    assert_eq!(told, "ONEPOLL_LISTING: expected true or false");
    let usage = complaint("usage", "onepoll serve --prot 1", &[], "port = 1");
    assert!(usage.starts_with("usage: unexpected argument '--prot'"), "{usage}");
    let around = Surroundings { variables: vec![("ONEPOLL_CONFIG".into(), "/no/such".into())] };
    let words = ["onepoll", "serve"].map(OsString::from).to_vec();
    let Err(Wrong::Layer(why)) = read(words, &around) else { panic!("there is no such file") };
    assert_eq!(why, "--config: /no/such: no such file");
}

#[test]
fn names_that_are_almost_right_are_warned_of() {
    let variables = [("ONEPOLL_PROT", "1"), ("ONEPOLL_SERVICE_HOST", "x"), ("ONEPOLL_AUTH", "a:b")];
    let settings = layers("warn", "onepoll serve", &variables, "");
    let warnings = settings.unwrap_or_else(|e| panic!("{e:?}")).warnings;
    assert_eq!(warnings, ["ONEPOLL_PROT sets nothing; a similar one: ONEPOLL_PORT"]);
}

/// What `--check` shows is a file that means the same.
#[test]
fn what_is_shown_can_be_read() {
    let line = "onepoll serve --listing --header X-A:\"\\b --only=a,b --upload --overwrite -v";
    let first = show(&layers("first", line, &[], "").unwrap_or_else(|e| panic!("{e:?}")));
    let again = layers("again", "onepoll serve", &[], &first).unwrap_or_else(|e| panic!("{e:?}"));
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.rsplit_once("  # ").unwrap().0.trim_end().to_owned()).collect()
    };
    assert_eq!(values(&first), values(&show(&again)));
    assert!(first.contains("header = [\"X-A:\\\"\\\\b\"]"), "{first}");
}

/// Every long flag is a setting, and no two have the same variable.
#[test]
fn all_flags_are_keys() {
    let mut command = Args::command();
    command.build();
    let keys = Keys::of(&command);
    let serve = command.find_subcommand("serve").unwrap();
    let flags: Vec<&str> = serve.get_arguments().filter_map(clap::Arg::get_long).collect();
    let apart = ["config", "check", "help"];
    for flag in flags.iter().filter(|flag| !apart.contains(flag)) {
        assert!(keys.find(flag).is_some(), "{flag}");
    }
    let mut variables: Vec<String> = keys.iter().map(Key::variable).collect();
    let all = variables.len();
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), all);
}
