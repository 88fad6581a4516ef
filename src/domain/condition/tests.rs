//! What conditions hold, what is refused, and that nothing overflows the stack.

mod properties;

use std::collections::BTreeMap;

use super::*;

/// A ticket of a gold customer who is angry about a refund.
fn angry(attributes: &BTreeMap<String, String>) -> Facts<'_> {
    Facts {
        intent: Some("billing/refund"),
        intent_confidence: 0.9,
        intents: &["billing/refund", "account/close"],
        out_of_scope: false,
        sentiment: "negative",
        sentiment_score: -0.75,
        urgency: "high",
        urgency_score: 0.5,
        language: Some("en"),
        channel: "email",
        priority: 3,
        attributes,
    }
}

/// A ticket of which nothing is known.
fn blank(attributes: &BTreeMap<String, String>) -> Facts<'_> {
    Facts {
        intent: None,
        intent_confidence: 0.0,
        intents: &[],
        out_of_scope: true,
        sentiment: "neutral",
        sentiment_score: 0.0,
        urgency: "normal",
        urgency_score: 0.0,
        language: None,
        channel: "",
        priority: 0,
        attributes,
    }
}

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn condition(source: &str) -> Condition {
    Condition::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn refusal(source: &str) -> String {
    match Condition::parse(source) {
        Ok(_) => panic!("{source} is taken"),
        Err(error) => error.to_string(),
    }
}

fn assert_told(source: &str, told: &str) {
    let refusal = refusal(source);
    assert!(refusal.contains(told), "{source}\n  told: {told}\n  is:   {refusal}");
}

#[test]
fn conditions_hold_as_cel_says() {
    let known = attributes(&[("plan", "gold"), ("order_value", "120.5"), ("größe", "xl")]);
    let none = BTreeMap::new();
    // Expression, on the angry ticket, on the blank one.
    let table = [
        ("sentiment == \"negative\" && attributes.plan in [\"gold\", \"platinum\"]", true, false),
        ("priority >= 8 || sentiment == 'negative' && priority > 2", true, false),
        ("(priority >= 8 || sentiment == 'negative') && priority > 3", false, false),
        ("intent == 'billing/refund'", true, false),
        ("intent.startsWith('billing/')", true, false),
        ("intent.endsWith('refund') && intent.contains('/re')", true, false),
        ("intent == ''", false, true),
        ("language == ''", false, true),
        ("language in ['en', 'de']", true, false),
        ("!(language in ['en', 'de'])", false, true),
        ("'account/close' in intents", true, false),
        ("intents.exists(i, i.startsWith('account'))", true, false),
        ("intents.all(i, i.startsWith('account'))", false, true),
        ("size(intents) == 2 && intents.size() == 2", true, false),
        ("intents[1] == 'account/close'", true, false),
        ("size(intents) > 0 && intents[0] != 'x'", true, false),
        ("intent_confidence >= 0.9", true, false),
        ("sentiment_score < -0.7", true, false),
        ("sentiment_score <= 0", true, true),
        ("urgency_score * 2.0 >= 1.0", true, false),
        ("urgency_score - sentiment_score > 1.2", true, false),
        ("double(priority) / 2.0 == 1.5", true, false),
        ("priority % 2 == 1 && priority + 1 == 4 && -priority < 0", true, false),
        ("priority in [1, 3.0]", true, false),
        ("out_of_scope", false, true),
        ("!out_of_scope", true, false),
        ("out_of_scope ? channel == '' : channel == 'email'", true, true),
        ("urgency in ['high', 'critical']", true, false),
        ("double(attributes.order_value) > 100.0", true, false),
        ("attributes['größe'] == 'xl'", true, false),
        ("'plan' in attributes", true, false),
        ("has(attributes.plan)", true, false),
        ("!has(attributes.plan)", false, true),
        ("channel + '/' + language == 'email/en'", true, false),
        ("true // a remark", true, true),
        ("channel\n  == 'email'", true, false),
        ("false", false, false),
    ];
    for (source, on_angry, on_blank) in table {
        let condition = condition(source);
        assert_eq!(condition.holds(&angry(&known)), on_angry, "{source} on the angry ticket");
        assert_eq!(condition.holds(&blank(&none)), on_blank, "{source} on the blank ticket");
    }
}

#[test]
fn what_fails_does_not_hold_unless_the_other_side_decides() {
    let none = BTreeMap::new();
    let odd = attributes(&[("order_value", "a lot")]);
    for source in [
        "attributes.plan == 'gold'",
        "attributes.plan != 'gold'",
        "!(attributes.plan == 'gold')",
        "attributes.plan == 'gold' || priority >= 8",
        "attributes.plan == 'gold' && priority < 8",
        "attributes.plan == 'gold' ? true : true",
        "double(attributes.order_value) > 0.0",
        "!(double(attributes.order_value) > 0.0)",
        "intents[2] == 'x' || intents[-1] != 'x'",
        "1 / (priority - 3) == 0",
        "1 % (priority - 3) == 0",
        "priority * 9223372036854775807 > 0",
        "-9223372036854775808 - priority < 0",
        "-(-9223372036854775808 + priority - 3) > 0",
        "int(1e300) > 0",
        "intents.exists(i, i == attributes.plan)",
    ] {
        let condition = condition(source);
        assert!(!condition.holds(&angry(&none)), "{source}");
        assert!(!condition.holds(&angry(&odd)), "{source}");
    }
    for source in [
        "!has(attributes.plan) || attributes.plan != 'gold'",
        "!(has(attributes.plan) && attributes.plan == 'gold')",
        "attributes.plan == 'gold' || priority >= 2",
        "priority >= 2 || attributes.plan == 'gold'",
        "!(attributes.plan == 'gold' && priority >= 8)",
        "intents.exists(i, i == attributes.plan || i == 'account/close')",
    ] {
        assert!(condition(source).holds(&angry(&none)), "{source}");
    }
}

#[test]
fn a_refusal_says_where_what_and_what_is_allowed() {
    let table = [
        ("", "line 1, column 1: mismatched input '<EOF>', expecting a value"),
        ("priority >=", "line 1, column 12: mismatched input '<EOF>', expecting a value"),
        ("priority = 8", "line 1, column 10: token recognition error at: '= '"),
        ("out_of_scope and true", "column 14: mismatched input 'and', expecting an operator or"),
        ("(true", "line 1, column 6: missing ')' at '<EOF>'"),
        ("'é' == 'é' &&\n  plan == 'x'", "line 2, column 3: `plan` is unknown; there are channel,"),
        (
            "'é' == plan",
            "line 1, column 8: `plan` is unknown; there are channel, intent, intent_co",
        ),
        ("plan == 'x'", "urgency_score, attributes"),
        ("ticket.plan == 'x'", "line 1, column 1: `ticket` is unknown"),
        ("@result", "token recognition error at: '@'"),
        (".priority > 1", "column 2: `.priority` is unknown"),
        ("int == int", "column 1: `int` is unknown"),
        ("sentiment.plan == 'x'", "column 10: a field of this cannot be used here: attributes are"),
        ("attributes.a.b == 'x'", "column 13: a field of this cannot be used here"),
        ("size(attributes) > 1", "column 6: `attributes` as a whole cannot be used here"),
        ("attributes[intent] == 'x'", "column 11: a name that is computed cannot be used here"),
        ("intent in attributes", "column 8: a name that is computed cannot be used here"),
        ("attributes.exists(x, true)", "column 18: this macro cannot be used here: there are inte"),
        ("lower(channel) == 'x'", "column 6: there is no function `lower`; there are contains, e"),
        ("channel.matches('a*')", "column 16: there is no function `matches`"),
        ("startsWith(channel, 'x')", "there is no function `startsWith`"),
        ("'5'.int() > 1", "there is no function `int`"),
        ("type(priority) == 1", "there is no function `type`"),
        (
            "intents.map(x, x) == intents",
            "this macro cannot be used here: there are intents.exists",
        ),
        ("intents.filter(x, true) == intents", "this macro cannot be used here"),
        ("intents.exists_one(x, true)", "this macro cannot be used here"),
        ("['a'].exists(x, true)", "this macro cannot be used here"),
        ("intents.all(x, intents.all(y, x == y))", "this macro cannot be used here"),
        ("intents.all(intent, true)", "the variable of a macro has a name of its own"),
        ("intents.all(.x, true)", "column 12: this name cannot be used here"),
        ("intents.all(x, size(x))", "column 20: a condition is a bool, and this is int"),
        ("intents.all(x, true) && x == ''", "column 25: `x` is unknown"),
        ("has(attributes)", "column 5: invalid argument to has() macro"),
    ];
    for (source, told) in table {
        assert_told(source, told);
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let operands = "takes two ints or two doubles (2.0 and double(2) are doubles)";
    let table = [
        ("priority", "line 1, column 1: a condition is a bool, and this is int"),
        ("'x'", "a condition is a bool, and this is string"),
        ("out_of_scope && priority", "column 14: `&&` takes two bools, not bool and int"),
        ("true || priority > '8'", "`>` takes two numbers or two strings, not int and string"),
        ("false && priority == '8'", "column 19: `==` takes two values of one kind, not int and s"),
        ("true || attributes.n > 8", "`>` takes two numbers or two strings, not string and int"),
        ("priority in ['a']", "`in` takes a string and a list of strings, or a number and a list"),
        ("urgency_score * 2 > 1", operands),
        ("!channel", "column 1: `!` takes a bool, not string"),
        ("-channel == ''", "`-` takes a number, not string"),
        ("true ? 1 : 'a'", "`?:` takes a bool and two values of one kind, not bool and int and"),
        ("intents['a'] == ''", "`[]` takes a list of strings and an int, not list of strings and"),
        ("size() == 1", "`size` takes a string or a list of strings, not nothing"),
        ("priority in []", "this list cannot be used here: a list has strings only or numbers on"),
        ("priority in [1, 'a']", "this list cannot be used here"),
        ("{'a': 1}['a'] == 1", "a map or message cannot be used here: values are bool, int,"),
        ("Foo{a: 1} == 1", "a map or message cannot be used here"),
        ("intent == null", "null cannot be used here"),
        ("priority == 1u", "an unsigned number cannot be used here"),
        ("b'a' == b'a'", "a value of bytes cannot be used here"),
        ("attributes.?plan == 'a'", "unsupported syntax '.?'"),
        (
            "sentiment == 'angry'",
            "column 14: `sentiment` is never \"angry\"; it is one of negative,",
        ),
        ("urgency in ['high', 'urgent']", "column 21: `urgency` is never \"urgent\"; it is one of"),
        ("priority > 9223372036854775808", "column 12: invalid int literal"),
    ];
    for (source, told) in table {
        assert_told(source, told);
    }
}

#[test]
fn length_is_counted_in_characters() {
    let padded = |chars: usize| format!("channel == '{}'", "é".repeat(chars - 13));
    assert!(Condition::parse(&padded(CONDITION_CHARS_MAX)).is_ok());
    let told = refusal(&padded(CONDITION_CHARS_MAX + 1));
    assert_eq!(told, "line 1, column 1: the expression has 1001 characters, 1000 at most");
}

#[test]
fn long_but_flat_expressions_are_taken() {
    let any = ["priority == 1"; 50].join("||");
    let list = format!("channel in [{}]", ["'abc'"; 140].join(","));
    for source in [any, list, format!("{}true", "!".repeat(900))] {
        condition(&source);
    }
}

/// Sources that nest in every way the grammar has, to nearly the longest length.
fn hostile() -> Vec<String> {
    let around = |open: &str, inner: &str, close: &str| {
        let times = (CONDITION_CHARS_MAX - inner.len()) / (open.len() + close.len());
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let pairs = [
        ("(", ")"),
        ("(", ""),
        ("[", "]"),
        ("[", ""),
        ("{1:", "}"),
        ("{", ""),
        ("!(", ")"),
        ("-(", ")"),
        ("!-", ""),
        ("size(", ")"),
        ("1+(", ")"),
        ("", "+1"),
        ("", "==1"),
        ("", ".a"),
        ("", "[0]"),
        ("", ".size()"),
        ("", "&&true"),
        ("true||", ""),
        ("1?1:", ""),
        ("1?", ":1"),
        ("[?-", ""),
        ("intents.all(x,", ")"),
        ("has(a.", ")"),
        ("a{b:", "}"),
        ("", " in [1]"),
        ("'", ""),
        ("//", ""),
        ("\\", ""),
    ];
    pairs.iter().map(|(open, close)| around(open, "1", close)).collect()
}

#[test]
fn hostile_expressions_end_within_a_small_stack() {
    const STACK_BYTES: usize = 256 * 1024;
    let read_all = || {
        for source in hostile() {
            if let Ok(condition) = Condition::parse(&source) {
                let _ = condition.evaluate(&blank(&BTreeMap::new()));
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(read_all);
    thread.unwrap().join().unwrap();
    for (open, close) in [("(", ")"), ("(", ""), ("[", ""), ("size(", ")"), ("!(", ")")] {
        let source = format!("{}1{}", open.repeat(150), close.repeat(150));
        assert!(refusal(&source).contains("parts are nested more than 16 deep"), "{open}");
    }
    assert!(refusal(&format!("1{} == 1", "+1".repeat(400))).contains("more than 16 deep"));
}

#[test]
fn the_deepest_expression_is_evaluated_within_a_small_stack() {
    const STACK_BYTES: usize = 128 * 1024;
    let deepest = format!("{}true{}", "!(".repeat(14), ")".repeat(14));
    let sum = format!("priority{} == 13", "+1".repeat(13));
    for source in [deepest, sum] {
        let condition = condition(&source);
        let evaluate = move || condition.holds(&blank(&BTreeMap::new()));
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(evaluate);
        assert!(thread.unwrap().join().unwrap(), "{source}");
    }
}

#[test]
fn the_attributes_that_are_read_are_named() {
    let source = "attributes.plan == 'a' || attributes[\"tier\"] == 'b' || has(attributes.vip) \
                  || 'age' in attributes || intents.exists(i, i == attributes.plan)";
    let condition = condition(source);
    assert_eq!(condition.attributes().collect::<Vec<_>>(), ["age", "plan", "tier", "vip"]);
    assert_eq!(Condition::parse("priority > 1").unwrap().attributes().count(), 0);
}

#[test]
fn a_condition_is_stored_as_its_source() {
    let source = "attributes.plan == \"gold\" // ours";
    let stored = serde_json::to_string(&condition(source)).unwrap();
    assert_eq!(stored, r#""attributes.plan == \"gold\" // ours""#);
    let back: Condition = serde_json::from_str(&stored).unwrap();
    assert_eq!(back, condition(source));
    assert_eq!((back.source(), back.to_string().as_str()), (source, source));
    assert_ne!(back, condition("attributes.plan == \"gold\""));
    let refused = serde_json::from_str::<Condition>("\"priority\"").unwrap_err().to_string();
    assert!(refused.starts_with("line 1, column 1: a condition is a bool"), "{refused}");
}
