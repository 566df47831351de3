-- Key columns of veraflat indexes: what WHERE asks of them, the index answers before it looks at vectors.
--
-- FUNCTION 1 makes a bigint of a value, which keeps the order of the left type's values and may be the same for several; or
-- FUNCTION 2 hashes it.

CREATE FUNCTION veraflat_key(boolean) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_bool_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(boolean) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(smallint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_int2_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(smallint) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(integer) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_int4_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(integer) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_int8_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(bigint) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(real) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_float4_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(real) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(double precision) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_float8_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(double precision) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(numeric) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_numeric' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(numeric) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(date) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_date' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(date) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(timestamp) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_int8_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(timestamp) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(timestamptz) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_int8_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(timestamptz) IS 'key of a value in veraflat indexes';
CREATE FUNCTION veraflat_key(uuid) RETURNS bigint
    AS 'MODULE_PATHNAME', 'veraflat_key_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION veraflat_key(uuid) IS 'key of a value in veraflat indexes';

-- Whole numbers

CREATE OPERATOR FAMILY integer_ops USING veraflat;
COMMENT ON OPERATOR FAMILY integer_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS int2_ops DEFAULT FOR TYPE smallint USING veraflat FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(smallint);
COMMENT ON OPERATOR CLASS int2_ops USING veraflat IS 'key column';
CREATE OPERATOR CLASS int4_ops DEFAULT FOR TYPE integer USING veraflat FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(integer);
COMMENT ON OPERATOR CLASS int4_ops USING veraflat IS 'key column';
CREATE OPERATOR CLASS int8_ops DEFAULT FOR TYPE bigint USING veraflat FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(bigint);
COMMENT ON OPERATOR CLASS int8_ops USING veraflat IS 'key column';
ALTER OPERATOR FAMILY integer_ops USING veraflat ADD
    OPERATOR 1 < (smallint, integer),
    OPERATOR 2 <= (smallint, integer),
    OPERATOR 3 = (smallint, integer),
    OPERATOR 4 >= (smallint, integer),
    OPERATOR 5 > (smallint, integer),
    FUNCTION 1 (smallint, integer) veraflat_key(integer),
    OPERATOR 1 < (smallint, bigint),
    OPERATOR 2 <= (smallint, bigint),
    OPERATOR 3 = (smallint, bigint),
    OPERATOR 4 >= (smallint, bigint),
    OPERATOR 5 > (smallint, bigint),
    FUNCTION 1 (smallint, bigint) veraflat_key(bigint),
    OPERATOR 1 < (integer, smallint),
    OPERATOR 2 <= (integer, smallint),
    OPERATOR 3 = (integer, smallint),
    OPERATOR 4 >= (integer, smallint),
    OPERATOR 5 > (integer, smallint),
    FUNCTION 1 (integer, smallint) veraflat_key(smallint),
    OPERATOR 1 < (integer, bigint),
    OPERATOR 2 <= (integer, bigint),
    OPERATOR 3 = (integer, bigint),
    OPERATOR 4 >= (integer, bigint),
    OPERATOR 5 > (integer, bigint),
    FUNCTION 1 (integer, bigint) veraflat_key(bigint),
    OPERATOR 1 < (bigint, smallint),
    OPERATOR 2 <= (bigint, smallint),
    OPERATOR 3 = (bigint, smallint),
    OPERATOR 4 >= (bigint, smallint),
    OPERATOR 5 > (bigint, smallint),
    FUNCTION 1 (bigint, smallint) veraflat_key(smallint),
    OPERATOR 1 < (bigint, integer),
    OPERATOR 2 <= (bigint, integer),
    OPERATOR 3 = (bigint, integer),
    OPERATOR 4 >= (bigint, integer),
    OPERATOR 5 > (bigint, integer),
    FUNCTION 1 (bigint, integer) veraflat_key(integer);

-- Other numbers

CREATE OPERATOR FAMILY float_ops USING veraflat;
COMMENT ON OPERATOR FAMILY float_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS float4_ops DEFAULT FOR TYPE real USING veraflat FAMILY float_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(real);
COMMENT ON OPERATOR CLASS float4_ops USING veraflat IS 'key column';
CREATE OPERATOR CLASS float8_ops DEFAULT FOR TYPE double precision USING veraflat FAMILY float_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(double precision);
COMMENT ON OPERATOR CLASS float8_ops USING veraflat IS 'key column';
ALTER OPERATOR FAMILY float_ops USING veraflat ADD
    OPERATOR 1 < (real, double precision),
    OPERATOR 2 <= (real, double precision),
    OPERATOR 3 = (real, double precision),
    OPERATOR 4 >= (real, double precision),
    OPERATOR 5 > (real, double precision),
    FUNCTION 1 (real, double precision) veraflat_key(double precision),
    OPERATOR 1 < (double precision, real),
    OPERATOR 2 <= (double precision, real),
    OPERATOR 3 = (double precision, real),
    OPERATOR 4 >= (double precision, real),
    OPERATOR 5 > (double precision, real),
    FUNCTION 1 (double precision, real) veraflat_key(real);
CREATE OPERATOR FAMILY numeric_ops USING veraflat;
COMMENT ON OPERATOR FAMILY numeric_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS numeric_ops DEFAULT FOR TYPE numeric USING veraflat FAMILY numeric_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(numeric);
COMMENT ON OPERATOR CLASS numeric_ops USING veraflat IS 'key column';

-- Times. A date or a timestamp is compared with a timestamptz by the session's time zone, which no index knows.

CREATE OPERATOR FAMILY datetime_ops USING veraflat;
COMMENT ON OPERATOR FAMILY datetime_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS date_ops DEFAULT FOR TYPE date USING veraflat FAMILY datetime_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(date);
COMMENT ON OPERATOR CLASS date_ops USING veraflat IS 'key column';
CREATE OPERATOR CLASS timestamp_ops DEFAULT FOR TYPE timestamp USING veraflat FAMILY datetime_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(timestamp);
COMMENT ON OPERATOR CLASS timestamp_ops USING veraflat IS 'key column';
ALTER OPERATOR FAMILY datetime_ops USING veraflat ADD
    OPERATOR 1 < (date, timestamp),
    OPERATOR 2 <= (date, timestamp),
    OPERATOR 3 = (date, timestamp),
    OPERATOR 4 >= (date, timestamp),
    OPERATOR 5 > (date, timestamp),
    FUNCTION 1 (date, timestamp) veraflat_key(timestamp),
    OPERATOR 1 < (timestamp, date),
    OPERATOR 2 <= (timestamp, date),
    OPERATOR 3 = (timestamp, date),
    OPERATOR 4 >= (timestamp, date),
    OPERATOR 5 > (timestamp, date),
    FUNCTION 1 (timestamp, date) veraflat_key(date);
CREATE OPERATOR FAMILY timestamptz_ops USING veraflat;
COMMENT ON OPERATOR FAMILY timestamptz_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS timestamptz_ops DEFAULT FOR TYPE timestamptz USING veraflat FAMILY timestamptz_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(timestamptz);
COMMENT ON OPERATOR CLASS timestamptz_ops USING veraflat IS 'key column';

-- Others with an order

CREATE OPERATOR FAMILY bool_ops USING veraflat;
COMMENT ON OPERATOR FAMILY bool_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS bool_ops DEFAULT FOR TYPE boolean USING veraflat FAMILY bool_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(boolean);
COMMENT ON OPERATOR CLASS bool_ops USING veraflat IS 'key column';
CREATE OPERATOR FAMILY uuid_ops USING veraflat;
COMMENT ON OPERATOR FAMILY uuid_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS uuid_ops DEFAULT FOR TYPE uuid USING veraflat FAMILY uuid_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 veraflat_key(uuid);
COMMENT ON OPERATOR CLASS uuid_ops USING veraflat IS 'key column';

-- Hashed: equality only

CREATE OPERATOR FAMILY text_ops USING veraflat;
COMMENT ON OPERATOR FAMILY text_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS text_ops DEFAULT FOR TYPE text USING veraflat FAMILY text_ops AS
    OPERATOR 3 =,
    FUNCTION 2 hashtextextended(text, bigint);
COMMENT ON OPERATOR CLASS text_ops USING veraflat IS 'key column: equality';
CREATE OPERATOR FAMILY enum_ops USING veraflat;
COMMENT ON OPERATOR FAMILY enum_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS enum_ops DEFAULT FOR TYPE anyenum USING veraflat FAMILY enum_ops AS
    OPERATOR 3 =,
    FUNCTION 2 hashenumextended(anyenum, bigint);
COMMENT ON OPERATOR CLASS enum_ops USING veraflat IS 'key column: equality';
CREATE OPERATOR FAMILY inet_ops USING veraflat;
COMMENT ON OPERATOR FAMILY inet_ops USING veraflat IS 'key columns';
CREATE OPERATOR CLASS inet_ops DEFAULT FOR TYPE inet USING veraflat FAMILY inet_ops AS
    OPERATOR 3 =,
    FUNCTION 2 hashinetextended(inet, bigint);
COMMENT ON OPERATOR CLASS inet_ops USING veraflat IS 'key column: equality';
