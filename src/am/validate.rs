//! Whether an operator class is one that this access method can use.

use pgrx::prelude::*;
use pgrx::{PgLogLevel, pg_sys};

use super::STRATEGIES;

/// Checks an operator class and its family; says what is wrong as INFO, as PostgreSQL's own access methods do.
///
/// A family serves one type of vector. Its operators are for ordering, of the strategies that have a metric, take two
/// vectors and return float8, in the order of float8; there is at least one, and L1 is not beside another, because
/// its codes are. There are no support functions.
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
    let functions = client.select(
        "SELECT p.amproc::pg_catalog.regprocedure::text FROM pg_catalog.pg_amproc p WHERE p.amprocfamily = $1",
        None,
        &[family.into()],
    )?;
    for function in functions {
        let function = function.get::<String>(1)?.unwrap_or_default();
        complaints.push(format!(
            "operator class \"{name}\" of access method veraflat contains support function {function}, and there are none"
        ));
    }
    Ok(complaints)
}
