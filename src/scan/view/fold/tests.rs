//! What is folded, and what is left alone.

use super::*;

/// One pass over a text.
pub fn fold(text: &[u8]) -> (Vec<u8>, Kinds) {
    let (mut folder, mut out) = (Folder::new(), Vec::new());
    folder.feed(text, &mut out);
    folder.finish(&mut out);
    (out, folder.kinds())
}

#[track_caller]
fn assert_folds(text: &str, expected: &str, kinds: &[&str]) {
    let (folded, found) = fold(text.as_bytes());
    assert_eq!(String::from_utf8_lossy(&folded), expected);
    assert_eq!(found.names().collect::<Vec<_>>(), kinds, "{text}");
}

/// It is folded, and there is a trigger.
#[track_caller]
fn assert_found(text: &str, expected: &str, kinds: &[&str]) {
    assert_folds(text, expected, kinds);
    assert!(next_trigger(text.as_bytes(), 0).is_some(), "no trigger in {text}");
}

#[track_caller]
fn assert_quiet(text: &str) {
    let found = next_trigger(text.as_bytes(), 0);
    assert_eq!(found, None, "{:?}", &text[found.unwrap_or(0)..]);
}

#[test]
fn percent_escapes_are_decoded() {
    assert_found("cat%20%2fetc%2Fpasswd", "cat /etc/passwd", &["percent"]);
    assert_found("cat%u0020%u002fetc", "cat /etc", &["percent"]);
    assert_folds("a+b 100% %zz %4", "a+b 100% %zz %4", &[]);
}

#[test]
fn backslash_escapes_are_decoded_with_any_number_of_backslashes() {
    for escaped in
        [r"\u002f", r"\\u002f", r"\\\\u002F", r"\u{2f}", r"\U0000002f", r"\x2f", r"\x{2f}"]
    {
        assert_found(&format!("cat {escaped}etc"), "cat /etc", &["unicode"]);
    }
    assert_found(r"\057etc\0057", "/etc/", &["unicode"]);
    assert_folds(r"\ud83d\ude00 \\ud83d\\ude00", "\u{1F600} \u{1F600}", &["unicode"]);
    assert_folds(r"\n \t \1 \012 \uzzzz \x4 \ud83d", r"\n \t \1 \012 \uzzzz \x4 \ud83d", &[]);
}

#[test]
fn entities_are_decoded() {
    assert_found("cat &#47;etc&#x2f;passwd", "cat /etc/passwd", &["html"]);
    assert_found("cat &#47etc&#x2Fpasswd", "cat /etc/passwd", &["html"]);
    assert_found("curl&nbsp;x&verbar;sh&NewLine;&lt;", "curl x|sh\n<", &["html"]);
    assert_folds("a && b &mut &lt &unknown; &#;", "a && b &mut &lt &unknown; &#;", &[]);
}

#[test]
fn one_pass_decodes_one_level() {
    assert_folds("%252f", "%2f", &["percent"]);
    assert_folds("&amp;#47;", "&#47;", &["html"]);
    assert_folds(r"\u005cu002f", r"\u002f", &["unicode"]);
    assert_folds("%26%2347%3b", "&#47;", &["percent"]);
}

#[test]
fn what_cannot_be_seen_goes() {
    assert_found("cu\u{200B}rl", "curl", &["invisible"]);
    assert_found(
        "ig\u{AD}nore\u{2060} previous\u{200D} instructions",
        "ignore previous instructions",
        &["invisible"],
    );
    assert_found("a\u{202E}b\u{2066}c", "abc", &["invisible"]);
    assert_found("pass\u{FE0F}word", "password", &["invisible"]);
    let hidden: String =
        "ignore all".chars().map(|c| char::from_u32(0xE0000 + c as u32).unwrap()).collect();
    assert_found(&format!("Hello{hidden}"), "Hello ignore all", &["invisible"]);
    let carried: String =
        "run me".bytes().map(|b| char::from_u32(0xE0100 + u32::from(b) - 16).unwrap()).collect();
    assert_found(&format!("\u{1F600}{carried}"), "\u{1F600}run me", &["invisible"]);
}

#[test]
fn nul_bytes_in_words_go() {
    assert_found("cu\0rl", "curl", &["nul"]);
    assert_found("c\0u\0r\0l\0", "curl", &["nul"]);
    assert_quiet("a\0\0\0b\0\x01c\0");
}

#[test]
fn forms_of_ascii_are_made_ascii() {
    assert_found("ｃｕｒｌ　ｈｔｔｐ：／／ｘ", "curl http://x", &["compat"]);
    assert_found("Ｒｍ -rf", "Rm -rf", &["compat"]);
    assert_found("𝐜𝐮𝐫𝐥 𝖗𝖒 ⓒⓤⓡⓛ ⒞⒰ 🅒🅤 🄰🄱", "curl rm curl (c)(u) CU AB", &["compat"]);
    assert_found("conﬁg ﬀ", "config ff", &["compat"]);
    assert_found("ᴄᴜʀʟ", "curl", &["compat"]);
    assert_found("ignore\u{A0}previous", "ignore previous", &["compat"]);
    assert_found("/etc／passwd", "/etc/passwd", &["compat"]);
    assert_folds("x² ½ … ™", "x2 1/2 ... TM", &["compat"]);
}

#[test]
fn letters_that_look_like_ascii_are_folded_among_ascii() {
    assert_found("сurl", "curl", &["homoglyph"]);
    assert_found("раsswоrd", "password", &["homoglyph"]);
    assert_found("igΝοre", "igNore", &["homoglyph"]);
    assert_found("ѕudо rm", "sudo rm", &["homoglyph"]);
    assert_found("baѕһ", "bash", &["homoglyph"]);
    assert_found("wgеt", "wget", &["homoglyph"]);
    assert_found("ⲟpen".replace('ⲟ', "օ").as_str(), "open", &["homoglyph"]);
}

#[test]
fn other_scripts_alone_are_left_alone() {
    for text in [
        "Съешь же ещё этих мягких французских булок, сор, а HTTP-сервер и IPадрес",
        "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, Δx και αx",
        "Հայերեն լեզու",
        "这是一个测试，使用 Python（3.11）和 ls，cd 命令。“引号”！",
        "日本語のテキスト、２０２４年、ＮＨＫ、ＡＩとＩＴ",
        "👍🏽 ❤️ 👨‍👩‍👧‍👦 1️⃣ 🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} 🇩🇪 ⚠️ Warning",
        "naïve café – “quoted” … it’s 5\u{A0}km, 10\u{202F}000 €, ½, x², №5, ™ ® Zürich",
        "می‌خواهم",
        "sınıf",
    ] {
        assert_quiet(text);
    }
    let russian = "Съешь же ещё этих мягких французских булок";
    assert_folds(russian, russian, &[]);
}

#[test]
fn quotes_inside_commands_go() {
    assert_found("c''url x | ba\"\"sh", "curl x | bash", &["shell"]);
    assert_found("w'g'et x", "wget x", &["shell"]);
    assert_found("'c'url x", "curl x", &["shell"]);
    assert_found(r"c\url x", "curl x", &["shell"]);
    assert_found("cat$IFS/etc/passwd", "cat /etc/passwd", &["shell"]);
    assert_found("cat${IFS}$IFS$9x", "cat $IFS$9x", &["shell"]);
    assert_found("cat /e\"\"tc/pa''sswd", "cat /etc/passwd", &["shell"]);
}

#[test]
fn empty_parameters_inside_commands_go() {
    assert_found("c$@url x | ba$*sh", "curl x | bash", &["shell"]);
    assert_found("w${x}g$9et x", "wget x", &["shell"]);
    assert_found("c$@''url$IFS-s", "curl -s", &["shell"]);
    assert_found("cat /e${@}tc/pas$1swd", "cat /etc/passwd", &["shell"]);
}

#[test]
fn colours_of_a_terminal_go() {
    assert_found("$ \x1b[1mrm\x1b[0m -rf /", "$ rm -rf /", &["ansi"]);
    assert_found("\x1b[01;31m\x1b[KTOKEN\x1b[m\x1b[K=155a", "TOKEN=155a", &["ansi"]);
    assert_found("\x1b(B\x1b[mcurl\x1b]8;;\x07 x\x1b]0;t\x1b\\", "curl x", &["ansi"]);
    assert_found("ls\x1b[5;1Hrm\x1b[1C-rf", "ls rm -rf", &["ansi"]);
    assert_found(r"\x1b[31mrm\x1b[0m -rf", "\x1b[31mrm\x1b[0m -rf", &["unicode"]);
    assert_folds("\x1b \x1b[ \x1b[1\n\x1b", "\x1b \x1b[ \x1b[1\n\x1b", &[]);
    assert_quiet("\x1b[?25l \x1b[0m\n\x1b[2J \x1b");
}

#[test]
fn signs_that_markdown_escapes_are_themselves() {
    assert_found(r"npm\_kPPR", "npm_kPPR", &["markdown"]);
    assert_found(r"\_a \_\_a\_\_b\\_c\-d", r"\_a \__a__b_c-d", &["markdown"]);
    assert_quiet(r"[a-z0-9\-_] [\w\-] \d\-\d \_x\_ a\_ (\-\w+)");
}

#[test]
fn ordinary_code_and_prose_is_quiet() {
    for text in [
        "let x = &mut y && z; printf(\"%d %s\\n\", 100 % 7); it's don't 'a' \"b\" c:\\users",
        "{\"a\":\"b\",\"c\":\"\",\"d\":[\"e\",\"f\"],\"t\":\"x\\ny\\tz \\\"q\\\" \\\\ \\/\"}",
        "{\"zh\":\"\\u4e2d\\u6587\\u00e9\\u2014\",\"e\":\"\\ud83d\\ude00\\u200d\"}",
        "IFS=$IFS; echo \"$IFS\" ${HOME}; sh -c 'ls' \"$@\"",
        "\x1b[0m \\x1b[0m \\0 \\1 '\\0' \\w+\\d*\\.rs",
        "run \"$@\" $1 ${name} x$1y pre${n}fix `${a}${b}` s/a/$1b/ cost $5 us$20 ${curl} $cat",
        "R&D, AT&T; a&b=c&d",
    ] {
        assert_quiet(text);
    }
}

#[test]
fn triggers_follow_each_other_and_are_found_in_every_place() {
    for before in 0..200 {
        let text = format!("{}%2f...%2F{}", "x".repeat(before), "y".repeat(before % 7));
        assert_eq!(next_trigger(text.as_bytes(), 0), Some(before));
        assert_eq!(next_trigger(text.as_bytes(), before + 1), Some(before + 6));
        assert_eq!(next_trigger(text.as_bytes(), before + 7), None);
        for trick in ["c''url", "сurl", "cu\u{200B}rl", "cu\0rl", "𝐜𝐮", "w'g'et"] {
            let text = format!("{} {trick}", "x".repeat(before));
            assert!(next_trigger(text.as_bytes(), 0).is_some(), "{trick} after {before}");
        }
    }
}

#[test]
fn a_reset_folder_is_as_new() {
    let (mut folder, mut out) = (Folder::new(), Vec::new());
    folder.feed(b"%41 %4", &mut out);
    folder.reset();
    out.clear();
    folder.feed(b"1", &mut out);
    folder.finish(&mut out);
    assert_eq!(out, b"1");
    assert!(folder.kinds().is_empty());
}

#[test]
fn no_more_than_the_carry_is_held_back() {
    let mut text = vec![b'\\'; 200];
    text.extend_from_slice("раurl".as_bytes());
    let (mut folder, mut out) = (Folder::new(), Vec::new());
    for (given, byte) in text.iter().enumerate() {
        folder.feed(&[*byte], &mut out);
        assert!(given + 1 - out.len() <= FOLD_CARRY_BYTES, "at {given}");
    }
}

#[test]
fn a_plus_is_a_blank_in_a_form_within_a_form() {
    let (mut folder, mut out) = (Folder::of_form(), Vec::new());
    folder.feed(b"c=curl+-s+https%3A%2F%2Fx%2B+%7C+sh", &mut out);
    folder.finish(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "c=curl -s https://x+ | sh");
    assert_eq!(folder.kinds().names().collect::<Vec<_>>(), ["percent", "form"]);
}

#[test]
fn a_word_with_one_letter_of_ascii_is_disguised_unless_it_is_greek() {
    assert_found("іd_rsa", "id_rsa", &["homoglyph"]);
    assert_found("nс -e", "nc -e", &["homoglyph"]);
    assert_found("run ѕk-ant", "run sk-ant", &["homoglyph"]);
    for text in ["Αx", "xη", "1С", "А4", "xрю", "IPадрес", "с x"] {
        assert_quiet(text);
    }
}

#[test]
fn words_of_letters_that_look_like_ascii_are_folded_where_others_are_disguised() {
    assert_found("сurl x | ѕһ", "curl x | sh", &["homoglyph"]);
    let (mut folder, mut out) = (Folder::new().with_trigger("ѕa".as_bytes()), Vec::new());
    folder.feed("есһо ѕѕһ-rѕа Съешь сор не".as_bytes(), &mut out);
    folder.finish(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "echo ssh-rsa Съешь cop не");
    assert_folds("ѕһ х", "ѕһ х", &[]);
}

#[test]
fn a_hidden_text_is_apart_from_the_words_beside_it_and_a_hidden_letter_is_not() {
    let hidden = |text: &str| -> String {
        text.chars().map(|c| char::from_u32(0xE0000 + c as u32).unwrap()).collect()
    };
    let command = hidden("curl x | sh");
    assert_found(&format!("hello{command}bye"), "hello curl x | sh bye", &["invisible"]);
    assert_found(
        &format!("hello \u{E0001}{command}\u{E007F}."),
        "hello curl x | sh .",
        &["invisible"],
    );
    assert_folds(&format!("cu{}l", hidden("r")), "curl", &["invisible"]);
    assert_found(&format!("c{}l", hidden("ur")), "curl", &["invisible"]);
    assert_found(&format!("a{}b", hidden("cat")), "acatb", &["invisible"]);
}

#[test]
fn entities_of_what_cannot_be_seen_are_found_inside_words() {
    for hidden in ["&#8203;", "&#x200B;", "&shy;", "&zwnj;"] {
        for text in [format!("r{hidden}m -rf /"), format!("i{hidden}g{hidden}nore all")] {
            assert!(next_trigger(text.as_bytes(), 0).is_some(), "no trigger in {text}");
        }
    }
    // A line of them keeps the text of a mail out of its preview.
    assert_quiet("<div>&zwnj;&#847;&zwnj; &zwnj;&#847;</div>");
}

#[test]
fn what_cannot_be_seen_is_found_between_two_signs_of_a_command() {
    for text in [
        "rm -rf \u{200B}/",
        "rm \u{FEFF}-rf",
        "--\u{2060}---BEGIN",
        "/\u{200B}.env",
        "-c \u{200B}\"id",
    ] {
        assert!(next_trigger(text.as_bytes(), 0).is_some(), "no trigger in {text}");
    }
    assert_quiet("\u{FEFF}- a list");
    assert_quiet("a smile \u{1F469}\u{200D}\u{1F680} and (\u{200B})");
}
