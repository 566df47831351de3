//! What filters mean, what is refused and how, and that nothing of a filter gets into SQL's text.

#![allow(clippy::unwrap_used)] // in tests

use proptest::prelude::*;
use serde_json::{Value, json};
use vera_vec_core::filter::sql::{KeyColumn, KeyKind, Parameters};
use vera_vec_core::filter::{DocumentFilter, Filter, Path};

const NONE: [usize; 0] = [];

fn passes(filter: &Value, metadata: &Value) -> bool {
    Filter::parse(filter).unwrap().matches(metadata)
}

fn error(filter: &Value) -> String {
    Filter::parse(filter).unwrap_err().to_string()
}

/// Of these documents, the numbers of those that pass.
fn chosen(filter: Value) -> Vec<usize> {
    let documents = [
        json!({}),
        json!({"lang": "en", "year": 1999, "tags": ["a", "b"], "draft": false}),
        json!({"lang": "de", "year": 2005.50, "tags": [], "draft": true, "by": {"name": "Ada", "born": 1815}}),
        json!({"lang": null, "year": "2005.5", "tags": "a", "by": {"name": null}}),
        json!({"lang": ["en"], "year": -1e2, "tags": [["a"], 1, null], "by": [{"name": "Ada"}]}),
    ];
    (0..documents.len()).filter(|&i| passes(&filter, &documents[i])).collect()
}

#[test]
fn equality_is_of_type_and_value() {
    assert_eq!(chosen(json!({})), [0, 1, 2, 3, 4]);
    assert_eq!(chosen(json!({"lang": "en"})), [1]);
    assert_eq!(chosen(json!({"lang": "EN"})), NONE);
    assert_eq!(chosen(json!({"lang": null})), [3]);
    assert_eq!(chosen(json!({"lang": ["en"]})), [4]);
    assert_eq!(chosen(json!({"draft": {"$eq": false}})), [1]);
    assert_eq!(chosen(json!({"year": 2005.5})), [2]);
    assert_eq!(chosen(json!({"year": -100})), [4]);
    assert_eq!(chosen(json!({"tags": []})), [2]);
    assert_eq!(chosen(json!({"tags": ["b", "a"]})), NONE);
    assert_eq!(chosen(json!({"by": {"born": 1815.0, "name": "Ada"}})), [2]);
    assert_eq!(chosen(json!({"lang": "en", "year": 1999})), [1]);
    assert_eq!(chosen(json!({"lang": "en", "year": 2000})), NONE);
}

#[test]
fn negation_is_true_where_the_condition_is_false() {
    assert_eq!(chosen(json!({"lang": {"$ne": "en"}})), [0, 2, 3, 4]);
    assert_eq!(chosen(json!({"lang": {"$nin": ["en", "de"]}})), [0, 3, 4]);
    assert_eq!(chosen(json!({"year": {"$not": {"$gt": 2000}}})), [0, 1, 3, 4]);
    assert_eq!(chosen(json!({"$not": {"lang": "en", "year": 1999}})), [0, 2, 3, 4]);
    assert_eq!(chosen(json!({"lang": {"$in": []}})), NONE);
    assert_eq!(chosen(json!({"lang": {"$nin": []}})), [0, 1, 2, 3, 4]);
}

#[test]
fn only_like_types_are_compared() {
    assert_eq!(chosen(json!({"year": {"$gte": 1999}})), [1, 2]);
    assert_eq!(chosen(json!({"year": {"$gt": 1999, "$lte": 2005.5}})), [2]);
    assert_eq!(chosen(json!({"year": {"$gt": ""}})), [3]);
    assert_eq!(chosen(json!({"lang": {"$lt": "en"}})), [2]);
    assert_eq!(chosen(json!({"by.born": {"$lt": 1e10}})), [2]);
    let long = "9".repeat(60);
    let filter: Value = serde_json::from_str(&format!(r#"{{"n": {{"$gt": {long}8.5}}}}"#)).unwrap();
    let metadata: Value =
        serde_json::from_str(&format!(r#"{{"n": {long}8.50000000000000000000001}}"#)).unwrap();
    assert!(passes(&filter, &metadata));
}

#[test]
fn fields_within_fields() {
    assert_eq!(chosen(json!({"by.name": "Ada"})), [2]);
    assert_eq!(chosen(json!({"by.name": {"$exists": true}})), [2, 3]);
    assert_eq!(chosen(json!({"by.0.name": {"$exists": true}})), NONE);
    assert_eq!(chosen(json!({"lang": {"$exists": false}})), [0]);
    assert!(passes(&json!({r"a\.b": 1}), &json!({"a.b": 1})));
    assert!(passes(&json!({r"a\\": 1}), &json!({r"a\": 1})));
    assert!(!passes(&json!({"a.b": 1}), &json!({"a.b": 1})));
}

#[test]
fn elements_and_text() {
    assert_eq!(chosen(json!({"tags": {"$contains": "a"}})), [1, 3]);
    assert_eq!(chosen(json!({"tags": {"$contains": 1}})), [4]);
    assert_eq!(chosen(json!({"tags": {"$contains": null}})), [4]);
    assert_eq!(chosen(json!({"tags": {"$not_contains": "a"}})), [0, 2, 4]);
    assert_eq!(chosen(json!({"by.name": {"$contains": "d"}})), [2]);
    let like = |text: &str, pattern: &str| passes(&json!({"t": {"$like": pattern}}), &json!({"t": text}));
    assert!(like("", "") && like("", "%") && like("abc", "a%c") && like("abc", "___") && like("ä", "_"));
    assert!(
        like("aab", "%ab") && like("mississippi", "m%is%pi") && like("a%b", r"a\%b") && like("a\\b", r"a\\b")
    );
    assert!(
        !like("abc", "b")
            && !like("abc", "__")
            && !like("", "_")
            && !like("axb", r"a\%b")
            && !like("Abc", "a%")
    );
}

#[test]
fn clauses_as_qdrant_has_them() {
    let is = |field: &str, value: Value| json!({"key": field, "match": {"value": value}});
    assert_eq!(chosen(json!({"must": [is("lang", json!("en"))]})), [1, 4]); // in an array as well
    assert_eq!(chosen(json!({"must": is("lang", json!("de"))})), [2]);
    assert_eq!(chosen(json!({"must_not": [is("lang", json!("en")), is("lang", json!("de"))]})), [0, 3]);
    assert_eq!(chosen(json!({"should": [is("lang", json!("de")), is("draft", json!(false))]})), [1, 2]);
    assert_eq!(chosen(json!({"should": []})), [0, 1, 2, 3, 4]);
    assert_eq!(
        chosen(json!({"must": [{"key": "year", "range": {"gte": 1999, "lt": 2005, "gt": null}}]})),
        [1]
    );
    assert_eq!(chosen(json!({"must": [{"key": "lang", "match": {"any": ["de", "en"]}}]})), [1, 2, 4]);
    assert_eq!(chosen(json!({"must": [{"key": "lang", "match": {"except": ["de"]}}]})), [0, 1, 3, 4]);
    assert_eq!(chosen(json!({"must": [{"key": "by.name", "match": {"text": "Ad"}}]})), [2]);
    assert_eq!(chosen(json!({"must": [{"is_empty": {"key": "lang"}}]})), [0, 3]);
    assert_eq!(chosen(json!({"must": [{"is_empty": {"key": "tags"}}]})), [0, 2]);
    assert_eq!(chosen(json!({"must": [{"is_null": {"key": "lang"}}]})), [3]);
    assert_eq!(
        chosen(
            json!({"must": [{"should": [is("lang", json!("de"))], "must_not": [is("draft", json!(true))]}]})
        ),
        NONE
    );
    let two = json!({"min_should": {"min_count": 2, "conditions": [
        is("lang", json!("en")), is("draft", json!(false)), is("tags", json!(1))]}});
    assert_eq!(chosen(two), [1, 4]);
    // Fields of such names.
    assert!(passes(&json!({"must": {"$eq": "x"}}), &json!({"must": "x"})));
    assert!(passes(&json!({"should": "x"}), &json!({"should": "x"})));
}

#[test]
fn errors_say_where_and_why() {
    for (filter, path, reason) in [
        (json!([]), "$", "expected an object, not an array"),
        (json!("en"), "$", "expected an object, not text"),
        (json!({"$nor": []}), "$.$nor", "unknown operator \"$nor\""),
        (json!({"a": {"$regex": "x"}}), "$.a.$regex", "unknown operator \"$regex\""),
        (
            json!({"$and": [{"a": 1}, {"b": {"$gt": true}}]}),
            "$.$and[1].b.$gt",
            "expected a number or text, not a boolean",
        ),
        (json!({"$or": []}), "$.$or", "expected at least one condition"),
        (json!({"$or": {"a": 1}}), "$.$or", "expected an array, not an object"),
        (json!({"a": {"$in": 1}}), "$.a.$in", "expected an array, not a number"),
        (json!({"a": {"$exists": 1}}), "$.a.$exists", "expected a boolean, not a number"),
        (json!({"a": {"$contains": []}}), "$.a.$contains", "not an array"),
        (json!({"a": {"$like": "x\\"}}), "$.a.$like", "must not end with the escape character"),
        (json!({"a": {"$eq": 1, "b": 2}}), "$.a.b", "a field beside an operator"),
        (json!({"a": {"$not": {}}}), "$.a.$not", "expected an operator"),
        (json!({"": 1}), "$.", "a field's name is empty"),
        (json!({"a..b": 1}), "$.a..b", "a field's name is empty"),
        (json!({"a\\": 1}), "$.a\\", "ends with a backslash"),
        (json!({"must": [{"key": "a"}]}), "$.must[0]", "expected \"match\" or \"range\""),
        (json!({"must": [{"match": {"value": 1}}]}), "$.must[0]", "expected \"key\""),
        (json!({"must": [{"key": "a", "geo": {}}]}), "$.must[0].geo", "unknown name"),
        (json!({"must": [{"key": "a", "range": {"above": 1}}]}), "$.must[0].range.above", "unknown name"),
        (json!({"min_should": {"conditions": []}}), "$.min_should.min_count", "expected a whole number"),
        (serde_json::from_str(r#"{"a": {"$gt": 1e999999999}}"#).unwrap(), "$.a.$gt", "out of range"),
    ] {
        let got = error(&filter);
        assert!(
            got.starts_with(&format!("invalid filter at {path}: ")) && got.contains(reason),
            "{filter}: {got}"
        );
    }
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| (0..depth).fold(json!({"a": 1}), |inner, _| json!({"$and": [inner]}));
    assert!(Filter::parse(&nested(32)).is_ok());
    assert!(error(&nested(33)).contains("more than 32 deep"));
    let negations = |depth: usize| (0..depth).fold(json!({"a": 1}), |inner, _| json!({"$not": inner}));
    assert!(Filter::parse(&negations(32)).is_ok());
    assert_eq!(
        error(&negations(33)),
        format!("invalid filter at ${}: conditions lie more than 32 deep in one another", ".$not".repeat(33))
    );
    let negations = (0..100).fold(json!({"a": 1}), |inner, _| json!({"$not": inner}));
    assert!(error(&negations).contains("more than 32 deep"));
    let value = (0..40).fold(json!(1), |inner, _| json!([inner]));
    assert!(error(&json!({"a": value})).contains("nested more than 32 deep"));
    assert!(error(&json!({vec!["a"; 33].join("."): 1})).contains("more than 32 fields"));
    let documents = (0..100).fold(json!({"$contains": "a"}), |inner, _| json!({"$not": inner}));
    assert!(DocumentFilter::parse(&documents).is_err());
}

fn sql(filter: &Value, keys: &[KeyColumn]) -> (String, Vec<String>) {
    let mut parameters = Parameters::new("$2");
    let text = Filter::parse(filter).unwrap().sql("d.", keys, &mut parameters);
    (text, parameters.values().to_vec())
}

#[test]
fn equality_becomes_containment_or_a_key_column() {
    let key = |field: &str, kind| KeyColumn {
        path: Path(vec![field.to_owned()]),
        column: format!("k\"{field}"),
        kind,
    };
    let keys = [key("lang", KeyKind::Text), key("year", KeyKind::Number)];
    assert_eq!(
        sql(&json!({"lang": "en", "by.born": 1815}), &[]),
        (
            "(d.metadata @> ($2)[1]::jsonb) AND (d.metadata @> ($2)[2]::jsonb)".to_owned(),
            vec![r#"{"by":{"born":1815}}"#.to_owned(), r#"{"lang":"en"}"#.to_owned()]
        )
    );
    assert_eq!(sql(&json!({"lang": "en"}), &keys).0, r#"d."k""lang" = ($2)[1]"#);
    assert_eq!(sql(&json!({"lang": 1}), &keys).0, "d.metadata @> ($2)[1]::jsonb");
    assert_eq!(sql(&json!({"year": {"$lt": 1e3}}), &keys).0, r#"d."k""year" < ($2)[1]::numeric"#);
    assert_eq!(sql(&json!({"lang": {"$in": ["a", "b"]}}), &keys).0, r#"d."k""lang" = ANY (($2)[1:2])"#);
    // Under NOT and OR equality is left to GIN.
    assert_eq!(
        sql(&json!({"lang": {"$nin": ["a", "b"]}}), &keys).0,
        "((d.metadata @> ($2)[1]::jsonb OR d.metadata @> ($2)[2]::jsonb)) IS NOT TRUE"
    );
}

#[test]
fn document_filters() {
    let mut parameters = Parameters::new("$2");
    let filter = DocumentFilter::parse(
        &json!({"$contains": "a'b", "$or": [{"$regex": "^x"}, {"$not_contains": "c"}]}),
    );
    assert_eq!(
        filter.unwrap().sql("", &mut parameters),
        "(strpos(content COLLATE \"C\", ($2)[1]) > 0) AND ((content ~ ($2)[2]) OR ((strpos(content COLLATE \"C\", ($2)[3]) > 0) IS NOT TRUE))"
    );
    assert_eq!(parameters.values(), ["a'b", "^x", "c"]);
    let error = |filter: Value| DocumentFilter::parse(&filter).unwrap_err().to_string();
    assert_eq!(
        error(json!({"$or": [{"$contains": 1}]})),
        "invalid filter at $.$or[0].$contains: expected text, not a number"
    );
    assert!(error(json!({"text": "a"})).contains("unknown operator"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::String),
        "\\$(and|or|not|eq|ne|gt|in|nin|exists|contains|like)".prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 5, |inner| {
        let name = prop_oneof![
            "\\$(and|or|not|eq|ne|gt|lte|in|nin|exists|contains|not_contains|like)",
            "(must|should|must_not|min_should|key|match|range|value|any|conditions|is_null)",
            ".{0,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    /// Whatever JSON comes, it is a filter or an error that says where; and a filter has an answer.
    #[test]
    fn any_json_is_a_filter_or_an_error(filter in any_value(), metadata in any_value()) {
        match Filter::parse(&filter) {
            Ok(parsed) => {
                let negated = Filter::Not(Box::new(parsed.clone()));
                prop_assert_ne!(parsed.matches(&metadata), negated.matches(&metadata));
            }
            Err(error) => prop_assert!(error.path.starts_with('$') && !error.reason.is_empty()),
        }
        let _ = DocumentFilter::parse(&filter);
    }

    /// The text of the SQL is made of a fixed set of words and numbered parameters.
    #[test]
    fn nothing_of_a_filter_gets_into_the_text(filter in any_value()) {
        if let Ok(parsed) = Filter::parse(&filter) {
            let mut parameters = Parameters::new("$2");
            let text = parsed.sql("d.", &[], &mut parameters);
            for word in text.split(|c: char| c.is_whitespace() || "()[],:.".contains(c)).filter(|word| !word.is_empty()) {
                prop_assert!(
                    word.bytes().all(|byte| byte.is_ascii_digit())
                        || ["AND", "OR", "IS", "NOT", "TRUE", "NULL", "ANY", "ARRAY", "COLLATE", "LIKE", "d", "metadata",
                            "jsonb", "jsonb_typeof", "strpos", "int", "true", "false", "'number'", "'string'", "'{}'",
                            "\"C\"", "$2", "@>", "->", "#>>", "=", "<", "<=", ">", ">=", "+"].contains(&word),
                    "{word:?} in {text}"
                );
            }
            // Each value is used, on its own or in a run of them.
            let mut used = vec![false; parameters.values().len()];
            for reference in text.split("($2)[").skip(1) {
                let numbers = &reference[..reference.find(']').unwrap()];
                let (first, last) = numbers.split_once(':').unwrap_or((numbers, numbers));
                used[first.parse::<usize>().unwrap() - 1..last.parse().unwrap()].fill(true);
            }
            prop_assert!(used.iter().all(|used| *used), "{used:?} in {text}");
        }
    }
}
