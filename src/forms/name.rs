//! Names of files as clients send them, made harmless.

/// The longest name that comes out, in bytes: less than file systems take, so
/// that a number or a time may be put into it.
const LEN_MAX: usize = 200;
/// The longest extension that survives the cutting, in bytes, its dot included.
const EXTENSION_MAX: usize = 16;
/// What a file is called whose name is nothing.
const NAMELESS: &str = "file";

/// A name under which a client's file can be saved and offered again: one
/// component, visible, 1 to 200 bytes.
///
/// Folders in front are dropped, slashes and backslashes alike; so are control
/// characters, those that turn the direction of text around (a name that looks like
/// another), dots and blanks at either end. Characters that Windows doesn't take in
/// names or that shells and pages trip over become `_`. What is nothing
/// then is `file`.
///
/// ```
/// use onepoll::forms::safe_name;
/// assert_eq!(safe_name("cat.jpg"), "cat.jpg");
/// assert_eq!(safe_name("Ärger über alles.pdf"), "Ärger über alles.pdf");
/// assert_eq!(safe_name(r"C:\My files\..\a<b>.txt"), "a_b_.txt");
/// assert_eq!(safe_name("../../.bashrc"), "bashrc");
/// assert_eq!(safe_name(".."), "file");
/// ```
pub fn safe_name(client_name: &str) -> String {
    let last = client_name.rsplit(['/', '\\']).next().unwrap_or("");
    let kept = last.chars().filter(|&c| !c.is_control() && !is_unseen(c));
    let name: String = kept.map(|c| if is_odd(c) { '_' } else { c }).collect();
    let name = name.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if name.is_empty() {
        return NAMELESS.to_owned();
    }
    if name.len() <= LEN_MAX {
        return name.to_owned();
    }
    let dot = name.rfind('.').unwrap_or(name.len());
    let (stem, extension) = name.split_at_checked(dot).unwrap_or((name, ""));
    let extension = if extension.len() <= EXTENSION_MAX { extension } else { "" };
    let room = LEN_MAX.saturating_sub(extension.len());
    let end = (0..=room.min(stem.len())).rev().find(|&at| stem.is_char_boundary(at)).unwrap_or(0);
    let stem = stem.get(..end).unwrap_or("").trim_end_matches(['.', ' ']);
    format!("{stem}{extension}")
}

fn is_odd(c: char) -> bool {
    matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|' | '`' | '$' | '\u{fffd}')
}

/// Marks of direction, joiners, and other characters without a shape.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_harmless() {
        let table = [
            ("", "file"),
            (".", "file"),
            ("a/", "file"),
            ("\u{202e}", "file"),
            ("...hidden", "hidden"),
            (".onepoll-1-2.part", "onepoll-1-2.part"),
            ("a\r\nb\0c", "abc"),
            ("/etc/passwd", "passwd"),
            ("a\\b/c\\d.e", "d.e"),
            ("exe.\u{202e}gpj", "exe.gpj"),
            (" a b . ", "a b"),
            ("a:b*c?d\"e<f>g|h", "a_b_c_d_e_f_g_h"),
            ("名前.txt", "名前.txt"),
        ];
        for (sent, wanted) in table {
            assert_eq!(safe_name(sent), wanted, "{sent:?}");
        }
        for (sent, end) in [
            (format!("{}.jpg", "é".repeat(300)), "é.jpg"),
            (format!("a.{}", "b".repeat(300)), "a"),
            ("c".repeat(300), "c"),
        ] {
            let name = safe_name(&sent);
            assert!(name.len() <= LEN_MAX && name.ends_with(end), "{name}");
        }
    }
}
