//! `veravec` as a parameter in PostgreSQL's binary form.

use bytes::{BufMut, BytesMut};
use std::error::Error;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

#[derive(Debug)]
pub(crate) struct Vector(pub(crate) Vec<f32>);

impl ToSql for Vector {
    /// The number of dimensions, a zero, and the elements; all in network byte order.
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u16(self.0.len().try_into()?);
        out.put_u16(0);
        for &element in &self.0 {
            out.put_f32(element);
        }
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        ty.name() == "veravec"
    }

    to_sql_checked!();
}
