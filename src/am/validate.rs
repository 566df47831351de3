//! Whether an operator class is one that this access method can use.

use pgrx::prelude::*;
use pgrx::{PgLogLevel, pg_sys};
use vera_vec_core::keys::Comparison;

use super::STRATEGIES;
use super::columns::support;

/// Checks an operator class and its family; says what is wrong as INFO, as PostgreSQL's own access methods do.
///
/// A family without support functions serves one type of vector. Its operators are for ordering, of the strategies that have a
/// metric, take two vectors and return float8, in the order of float8; there is at least one, and L1 is not beside
/// another, because its codes are.
///
/// One with support functions is of keys. Its operators are for searching, with a btree's strategies, and return boolean. For
/// each pair of types that they take there is a function that makes ordered keys of the right one; or they are only
/// equality of a type with itself, and there is a function that hashes it.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn amvalidate(opclass: pg_sys::Oid) -> bool {
    let complaints =
        Spi::connect(|client| complaints(client, opclass)).unwrap_or_else(|error| vec![format!("{error}")]);
    for complaint in &complaints {
        ereport!(PgLogLevel::INFO, PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION, complaint.clone());
    }
    complaints.is_empty()
}

/// What is wrong with an operator class.
fn complaints(client: &spi::SpiClient<'_>, opclass: pg_sys::Oid) -> Result<Vec<String>, spi::Error> {
    let mut complaints = Vec::new();
    let classes = client.select(
        "SELECT opcfamily, opcintype, opcname::text FROM pg_catalog.pg_opclass WHERE oid OPERATOR(pg_catalog.=) $1",
        Some(1),
        &[opclass.into()],
    )?;
    let class = classes.first();
    let (Some(family), Some(input), Some(name)) =
        (class.get::<pg_sys::Oid>(1)?, class.get::<pg_sys::Oid>(2)?, class.get::<String>(3)?)
    else {
        return Ok(vec![format!("operator class {} does not exist", opclass.to_u32())]);
    };
    let functions = client.select(
        "SELECT 1 FROM pg_catalog.pg_amproc WHERE amprocfamily = $1 AND amproclefttype = $2 AND amprocrighttype = $2",
        None,
        &[family.into(), input.into()],
    )?;
    if functions.is_empty() {
        vector_complaints(client, family, input, &name, &mut complaints)?;
    } else {
        key_complaints(client, family, input, &name, &mut complaints)?;
    }
    Ok(complaints)
}

/// What is wrong with one for vectors.
fn vector_complaints(
    client: &spi::SpiClient<'_>,
    family: pg_sys::Oid,
    input: pg_sys::Oid,
    name: &str,
    complaints: &mut Vec<String>,
) -> Result<(), spi::Error> {
    let members = client.select(
        "SELECT a.amopstrategy, a.amoppurpose = 'o', a.amoplefttype = $2 AND a.amoprighttype = $2 AND o.oprleft = $2 \
             AND o.oprright = $2 AND o.oprresult = 'pg_catalog.float8'::pg_catalog.regtype, \
             a.amopsortfamily = (SELECT f.oid FROM pg_catalog.pg_opfamily f JOIN pg_catalog.pg_am m ON m.oid = f.opfmethod \
                 WHERE m.amname = 'btree' AND f.opfname = 'float_ops' \
                 AND f.opfnamespace = 'pg_catalog'::pg_catalog.regnamespace), \
             o.oid::pg_catalog.regoperator::text \
         FROM pg_catalog.pg_amop a JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr WHERE a.amopfamily = $1",
        None,
        &[family.into(), input.into()],
    )?;
    let mut strategies = Vec::new();
    for member in members {
        let strategy = member.get::<i16>(1)?.and_then(|number| u16::try_from(number).ok()).unwrap_or(0);
        let operator = member.get::<String>(5)?.unwrap_or_default();
        let mut require = |holds: Option<bool>, what: &str| {
            if holds != Some(true) {
                complaints.push(format!(
                    "operator family of access method veraflat, class \"{name}\", contains operator {operator} {what}"
                ));
            }
        };
        require(
            Some(STRATEGIES.iter().any(|&(number, _)| number == strategy)),
            &format!("with invalid strategy number {strategy}"),
        );
        require(member.get::<bool>(2)?, "that is not for ordering");
        require(member.get::<bool>(3)?, "with wrong argument or result types");
        require(member.get::<bool>(4)?, "with an incorrect ORDER BY operator family");
        strategies.push(strategy);
    }
    if strategies.is_empty() {
        complaints.push(format!("operator class \"{name}\" of access method veraflat has no operators"));
    }
    if strategies.contains(&4) && strategies.len() > 1 {
        complaints.push(format!(
            "operator class \"{name}\" of access method veraflat has L1 beside other distances"
        ));
    }
    Ok(())
}

/// What is wrong with one for keys.
fn key_complaints(
    client: &spi::SpiClient<'_>,
    family: pg_sys::Oid,
    input: pg_sys::Oid,
    name: &str,
    complaints: &mut Vec<String>,
) -> Result<(), spi::Error> {
    let functions = client.select(
        "SELECT p.amprocnum, p.amproc::pg_catalog.regprocedure::text, \
             f.prorettype = 'pg_catalog.int8'::pg_catalog.regtype AND f.proisstrict AND CASE p.amprocnum \
             WHEN 1 THEN f.pronargs = 1 AND f.proargtypes[0] = p.amprocrighttype \
             ELSE f.pronargs = 2 AND f.proargtypes[1] = 'pg_catalog.int8'::pg_catalog.regtype END \
         FROM pg_catalog.pg_amproc p JOIN pg_catalog.pg_proc f ON f.oid = p.amproc \
         WHERE p.amprocfamily = $1 AND p.amproclefttype = $2",
        None,
        &[family.into(), input.into()],
    )?;
    let mut kinds = Vec::new();
    for function in functions {
        let number = function.get::<i16>(1)?.and_then(|number| u16::try_from(number).ok()).unwrap_or(0);
        if !(1..=support::COUNT).contains(&number) || function.get::<bool>(3)? != Some(true) {
            let function = function.get::<String>(2)?.unwrap_or_default();
            complaints.push(format!(
                "operator class \"{name}\" of access method veraflat contains function {function} with wrong signature for \
                 support number {number}"
            ));
        }
        kinds.push(number);
    }
    let is_hashed = kinds.contains(&support::HASH);
    if is_hashed && kinds.contains(&support::KEY) {
        complaints.push(format!(
            "operator class \"{name}\" of access method veraflat has both of support functions 1 and 2"
        ));
    }
    let operators = client.select(
        "SELECT a.amopstrategy, a.amoppurpose = 's', o.oprresult = 'pg_catalog.bool'::pg_catalog.regtype, \
             a.amoprighttype = $2 OR EXISTS (SELECT FROM pg_catalog.pg_amproc p WHERE p.amprocfamily = $1 \
                 AND p.amproclefttype = $2 AND p.amprocrighttype = a.amoprighttype AND p.amprocnum = 1), \
             a.amoprighttype = $2, o.oid::pg_catalog.regoperator::text \
         FROM pg_catalog.pg_amop a JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr \
         WHERE a.amopfamily = $1 AND a.amoplefttype = $2",
        None,
        &[family.into(), input.into()],
    )?;
    let mut has_equality = false;
    for operator in operators {
        let strategy = operator.get::<i16>(1)?.and_then(|number| u16::try_from(number).ok()).unwrap_or(0);
        let comparison = Comparison::from_number(strategy);
        let with_itself = operator.get::<bool>(5)? == Some(true);
        has_equality |= comparison == Some(Comparison::Equal) && with_itself;
        let requirements = [
            (comparison.is_some(), "with invalid strategy number"),
            (operator.get::<bool>(2)? == Some(true), "that is not for searching"),
            (operator.get::<bool>(3)? == Some(true), "that does not return boolean"),
            (operator.get::<bool>(4)? == Some(true), "without support function 1 for its right type"),
            (
                !is_hashed || (comparison == Some(Comparison::Equal) && with_itself),
                "that hashed keys cannot serve",
            ),
        ];
        for (_, what) in requirements.into_iter().filter(|&(holds, _)| !holds) {
            let operator = operator.get::<String>(6)?.unwrap_or_default();
            complaints.push(format!(
                "operator family of access method veraflat, class \"{name}\", contains operator {operator} {what}"
            ));
        }
    }
    if !has_equality {
        complaints.push(format!("operator class \"{name}\" of access method veraflat lacks equality"));
    }
    Ok(())
}
