//! From JSON to [`Filter`].
//!
//! ```text
//! filter    = { field: value | tests, ... , "$and": [filter, ...], "$or": [filter, ...], "$not": filter }
//!           | { "must": clauses, "should": clauses, "must_not": clauses, "min_should": {...} }      Qdrant's form
//! tests     = { "$eq" | "$ne": value, "$gt" | "$gte" | "$lt" | "$lte": number or text, "$in" | "$nin": [value, ...],
//!               "$exists": boolean, "$contains" | "$not_contains": scalar, "$like": text, "$not": tests }
//! clauses   = clause | [clause, ...]
//! clause    = filter in Qdrant's form | { "key": field, "match": {...} } | { "key": field, "range": {...} }
//!           | { "is_empty": { "key": field } } | { "is_null": { "key": field } }
//! ```
//!
//! Several entries of one object must all hold. A field is named by its path, `a.b`; `\.` is a point in a name.
//! An object is in Qdrant's form if its names are all of that form and none of the values is a test, so that a field
//! called `must` can still be asked for with `{"must": {"$eq": ...}}`.
//!
//! Sources of the vocabulary: Chroma's documentation of `where`, chromem-go's `Query`, Qdrant's of filtering.

use serde_json::{Map, Value};

use super::{Bound, Filter, FilterError, MAX_DEPTH, Path, Side, Test, decimal};

/// Where in the filter the parser is: for errors, and to see how deep.
#[derive(Clone)]
pub(super) struct At {
    text: String,
    depth: usize,
}

impl At {
    pub(super) fn root() -> Self {
        Self { text: "$".to_owned(), depth: 0 }
    }

    /// One step down, by an object's name.
    pub(super) fn name(&self, name: &str) -> Self {
        Self { text: format!("{}.{}", self.text, shortened(name)), depth: self.depth }
    }

    /// One step down, by an array's index.
    pub(super) fn index(&self, index: usize) -> Self {
        Self { text: format!("{}[{index}]", self.text), depth: self.depth }
    }

    pub(super) fn error<T>(&self, reason: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError { path: self.text.clone(), reason: reason.into() })
    }

    /// The same place, as that of a condition within the last one.
    pub(super) fn deeper(&self) -> Result<Self, FilterError> {
        if self.depth > MAX_DEPTH {
            return self.error(format!("conditions lie more than {MAX_DEPTH} deep in one another"));
        }
        Ok(Self { text: self.text.clone(), depth: self.depth + 1 })
    }
}

/// A name as errors show it; what is long is cut.
fn shortened(name: &str) -> String {
    let mut short: String = name.chars().take(64).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// What a value is, for errors.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl Filter {
    /// The filter that `json` says.
    ///
    /// # Errors
    /// An unknown operator, a wrong shape, or conditions more than [`MAX_DEPTH`] deep in one another.
    pub fn parse(json: &Value) -> Result<Self, FilterError> {
        filter(json, &At::root())
    }
}

impl Path {
    /// The path that `text` says: `a.b` is the field b of the object a, and `\.` is a point in a name.
    ///
    /// # Errors
    /// A name is empty, or there are more than [`MAX_DEPTH`] of them.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        path(text, &At::root().name(text))
    }
}

fn filter(json: &Value, at: &At) -> Result<Filter, FilterError> {
    let at = &at.deeper()?;
    let object = as_object(json, at)?;
    if is_clauses_form(object) {
        return clauses_form(object, at);
    }
    let mut all = Vec::with_capacity(object.len());
    for (name, value) in object {
        let at = &at.name(name);
        all.push(match name.as_str() {
            "$and" => Filter::All(filters(value, at)?),
            "$or" => Filter::Any(filters(value, at)?),
            "$not" => negated(filter(value, at)?),
            operator if operator.starts_with('$') => {
                return at.error(format!(
                    "unknown operator \"{}\"; there are $and, $or and $not",
                    shortened(operator)
                ));
            }
            field => field_condition(&path(field, at)?, value, at)?,
        });
    }
    Ok(conjunction(all))
}

fn as_object<'a>(json: &'a Value, at: &At) -> Result<&'a Map<String, Value>, FilterError> {
    match json {
        Value::Object(object) => Ok(object),
        other => at.error(format!("expected an object, not {}", kind(other))),
    }
}

fn as_array<'a>(json: &'a Value, at: &At) -> Result<&'a [Value], FilterError> {
    match json {
        Value::Array(array) => Ok(array),
        other => at.error(format!("expected an array, not {}", kind(other))),
    }
}

fn as_text<'a>(json: &'a Value, at: &At) -> Result<&'a str, FilterError> {
    match json {
        Value::String(text) => Ok(text),
        other => at.error(format!("expected text, not {}", kind(other))),
    }
}

fn filters(json: &Value, at: &At) -> Result<Vec<Filter>, FilterError> {
    let array = as_array(json, at)?;
    if array.is_empty() {
        return at.error("expected at least one condition");
    }
    array.iter().enumerate().map(|(i, json)| filter(json, &at.index(i))).collect()
}

fn conjunction(mut all: Vec<Filter>) -> Filter {
    if all.len() == 1 { all.remove(0) } else { Filter::All(all) }
}

fn negated(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// `a.b` is the field b of the object a; a backslash takes the meaning from the character after it.
fn path(text: &str, at: &At) -> Result<Path, FilterError> {
    let mut fields = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let (literal, character) = match character {
            '\\' => (true, characters.next()),
            other => (false, Some(other)),
        };
        match character {
            Some('.') if !literal => fields.push(String::new()),
            Some(other) => {
                if let Some(field) = fields.last_mut() {
                    field.push(other);
                }
            }
            None => return at.error("a field's name ends with a backslash"),
        }
    }
    if fields.iter().any(String::is_empty) {
        return at.error("a field's name is empty");
    }
    if fields.len() > MAX_DEPTH {
        return at.error(format!("a path of more than {MAX_DEPTH} fields"));
    }
    Ok(Path(fields))
}

/// A value means equality; an object whose names begin with `$`, tests.
fn field_condition(path: &Path, json: &Value, at: &At) -> Result<Filter, FilterError> {
    match json {
        Value::Object(object) if object.keys().any(|name| name.starts_with('$')) => tests(path, object, at),
        value => Ok(Filter::Field(path.clone(), Test::Equal(value_within_depth(value, at)?))),
    }
}

fn tests(path: &Path, object: &Map<String, Value>, at: &At) -> Result<Filter, FilterError> {
    let at = &at.deeper()?;
    let mut all = Vec::with_capacity(object.len());
    for (name, value) in object {
        let at = &at.name(name);
        let field = |test| Filter::Field(path.clone(), test);
        let (test, negate) = match name.as_str() {
            "$eq" => (Test::Equal(value_within_depth(value, at)?), false),
            "$ne" => (Test::Equal(value_within_depth(value, at)?), true),
            "$gt" => (Test::Compare(Side::Above, bound(value, at)?), false),
            "$gte" => (Test::Compare(Side::AtLeast, bound(value, at)?), false),
            "$lt" => (Test::Compare(Side::Below, bound(value, at)?), false),
            "$lte" => (Test::Compare(Side::AtMost, bound(value, at)?), false),
            "$in" => (Test::OneOf(values(value, at)?), false),
            "$nin" => (Test::OneOf(values(value, at)?), true),
            "$exists" => match value {
                Value::Bool(exists) => (Test::Exists, !exists),
                other => return at.error(format!("expected a boolean, not {}", kind(other))),
            },
            "$like" => (Test::Like(pattern(value, at)?), false),
            "$contains" | "$not_contains" => {
                let mut any = vec![field(Test::HasElement(scalar(value, at)?))];
                if let Value::String(text) = value {
                    any.push(field(Test::HasText(text.clone())));
                }
                let contains = Filter::Any(any);
                all.push(if name == "$contains" { contains } else { negated(contains) });
                continue;
            }
            "$not" => {
                let object = as_object(value, at)?;
                if object.is_empty() {
                    return at.error("expected an operator");
                }
                all.push(negated(tests(path, object, at)?));
                continue;
            }
            other if other.starts_with('$') => {
                return at.error(format!(
                    "unknown operator \"{}\"; there are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, \
                     $contains, $not_contains, $like and $not",
                    shortened(other)
                ));
            }
            _ => {
                return at
                    .error("a field beside an operator; a nested field is named by its path, as \"a.b\"");
            }
        };
        all.push(if negate { negated(field(test)) } else { field(test) });
    }
    Ok(conjunction(all))
}

/// Any value that is not too deep to be looked at by recursion.
fn value_within_depth(value: &Value, at: &At) -> Result<Value, FilterError> {
    fn fits(value: &Value, depth: usize) -> bool {
        depth > 0
            && match value {
                Value::Array(array) => array.iter().all(|value| fits(value, depth - 1)),
                Value::Object(object) => object.values().all(|value| fits(value, depth - 1)),
                _ => true,
            }
    }
    if !fits(value, MAX_DEPTH) {
        return at.error(format!("a value nested more than {MAX_DEPTH} deep"));
    }
    Ok(value.clone())
}

fn values(json: &Value, at: &At) -> Result<Vec<Value>, FilterError> {
    as_array(json, at)?.iter().enumerate().map(|(i, value)| value_within_depth(value, &at.index(i))).collect()
}

fn scalar(json: &Value, at: &At) -> Result<Value, FilterError> {
    match json {
        Value::Array(_) | Value::Object(_) => {
            at.error(format!("expected text, a number, a boolean or null, not {}", kind(json)))
        }
        scalar => Ok(scalar.clone()),
    }
}

fn bound(json: &Value, at: &At) -> Result<Bound, FilterError> {
    match json {
        Value::Number(number) => match decimal(number) {
            Some(number) => Ok(Bound::Number(number)),
            None => at.error("a number that is out of range"),
        },
        Value::String(text) => Ok(Bound::Text(text.clone())),
        other => at.error(format!("expected a number or text, not {}", kind(other))),
    }
}

fn pattern(json: &Value, at: &At) -> Result<String, FilterError> {
    let text = as_text(json, at)?;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && characters.next().is_none() {
            return at.error("a pattern must not end with the escape character");
        }
    }
    Ok(text.to_owned())
}

// Qdrant's form.

const CLAUSES: [&str; 4] = ["must", "should", "must_not", "min_should"];

fn is_clauses_form(object: &Map<String, Value>) -> bool {
    let is_test = |value: &Value| match value {
        Value::Object(object) => object.keys().any(|name| name.starts_with('$')),
        Value::Array(_) => false,
        _ => true,
    };
    !object.is_empty()
        && object.iter().all(|(name, value)| CLAUSES.contains(&name.as_str()) && !is_test(value))
}

fn clauses_form(object: &Map<String, Value>, at: &At) -> Result<Filter, FilterError> {
    let mut all = Vec::new();
    for (name, value) in object {
        let at = &at.name(name);
        if name == "min_should" {
            all.push(min_should(value, at)?);
            continue;
        }
        let clauses = clauses(value, at)?;
        match name.as_str() {
            "must" => all.extend(clauses),
            "must_not" => all.extend(clauses.into_iter().map(negated)),
            _ if clauses.is_empty() => {} // nothing that should be: as in Qdrant, no condition
            _ => all.push(Filter::Any(clauses)),
        }
    }
    Ok(conjunction(all))
}

fn min_should(json: &Value, at: &At) -> Result<Filter, FilterError> {
    let object = as_object(json, at)?;
    only(object, &["conditions", "min_count"], at)?;
    let Some(conditions) = object.get("conditions") else {
        return at.error("expected \"conditions\"");
    };
    match object.get("min_count").and_then(Value::as_u64).map(usize::try_from) {
        Some(Ok(count)) => Ok(Filter::AtLeast(count, clauses(conditions, &at.name("conditions"))?)),
        _ => at.name("min_count").error("expected a whole number that is not negative"),
    }
}

fn clauses(json: &Value, at: &At) -> Result<Vec<Filter>, FilterError> {
    match json {
        Value::Array(array) => array.iter().enumerate().map(|(i, json)| clause(json, &at.index(i))).collect(),
        one => Ok(vec![clause(one, at)?]),
    }
}

fn clause(json: &Value, at: &At) -> Result<Filter, FilterError> {
    let at = &at.deeper()?;
    let object = as_object(json, at)?;
    if is_clauses_form(object) {
        return clauses_form(object, at);
    }
    if let Some(inner) = object.get("is_empty") {
        only(object, &["is_empty"], at)?;
        let path = key(inner, &at.name("is_empty"))?;
        let equal = |value| Filter::Field(path.clone(), Test::Equal(value));
        let missing = negated(Filter::Field(path.clone(), Test::Exists));
        return Ok(Filter::Any(vec![missing, equal(Value::Null), equal(Value::Array(vec![]))]));
    }
    if let Some(inner) = object.get("is_null") {
        only(object, &["is_null"], at)?;
        return Ok(Filter::Field(key(inner, &at.name("is_null"))?, Test::Equal(Value::Null)));
    }
    only(object, &["key", "match", "range"], at)?;
    let Some(name) = object.get("key") else {
        return at
            .error("expected \"key\", \"is_empty\", \"is_null\" or a filter with must, should or must_not");
    };
    let path = path(as_text(name, &at.name("key"))?, &at.name("key"))?;
    let mut all = Vec::new();
    if let Some(inner) = object.get("match") {
        all.push(matches(&path, inner, &at.name("match"))?);
    }
    if let Some(inner) = object.get("range") {
        all.extend(range(&path, inner, &at.name("range"))?);
    }
    if all.is_empty() {
        return at.error("expected \"match\" or \"range\"");
    }
    Ok(conjunction(all))
}

/// Refuses an object with other names than these.
fn only(object: &Map<String, Value>, names: &[&str], at: &At) -> Result<(), FilterError> {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => at.name(name).error(format!("unknown name; expected {}", names.join(", "))),
        None => Ok(()),
    }
}

fn key(json: &Value, at: &At) -> Result<Path, FilterError> {
    let object = as_object(json, at)?;
    only(object, &["key"], at)?;
    match object.get("key") {
        Some(name) => path(as_text(name, &at.name("key"))?, &at.name("key")),
        None => at.error("expected \"key\""),
    }
}

/// As Qdrant's: the field's value, or an element of it where it is an array.
fn matches(path: &Path, json: &Value, at: &At) -> Result<Filter, FilterError> {
    let object = as_object(json, at)?;
    only(object, &["value", "any", "except", "text"], at)?;
    let field = |test| Filter::Field(path.clone(), test);
    let one_of = |json: &Value, at: &At| -> Result<Filter, FilterError> {
        let array = as_array(json, at)?;
        let values = array.iter().enumerate().map(|(i, value)| scalar(value, &at.index(i)));
        let values: Vec<Value> = values.collect::<Result<_, _>>()?;
        let mut any = vec![field(Test::OneOf(values.clone()))];
        any.extend(values.into_iter().map(|value| field(Test::HasElement(value))));
        Ok(Filter::Any(any))
    };
    let mut all = Vec::with_capacity(object.len());
    for (name, value) in object {
        let at = &at.name(name);
        all.push(match name.as_str() {
            "value" => one_of(&Value::Array(vec![value.clone()]), at)?,
            "any" => one_of(value, at)?,
            "except" => negated(one_of(value, at)?),
            _ => field(Test::HasText(as_text(value, at)?.to_owned())),
        });
    }
    if all.is_empty() {
        return at.error("expected \"value\", \"any\", \"except\" or \"text\"");
    }
    Ok(conjunction(all))
}

fn range(path: &Path, json: &Value, at: &At) -> Result<Vec<Filter>, FilterError> {
    let mut all = Vec::new();
    for (name, value) in as_object(json, at)? {
        let at = &at.name(name);
        let side = match name.as_str() {
            "gt" => Side::Above,
            "gte" => Side::AtLeast,
            "lt" => Side::Below,
            "lte" => Side::AtMost,
            _ => return at.error("unknown name; expected gt, gte, lt or lte"),
        };
        if value.is_null() {
            continue; // Qdrant's clients send bounds that are not set
        }
        all.push(Filter::Field(path.clone(), Test::Compare(side, bound(value, at)?)));
    }
    if all.is_empty() {
        return at.error("expected gt, gte, lt or lte");
    }
    Ok(all)
}
