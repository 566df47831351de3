-- The type veravec

CREATE TYPE veravec;

CREATE FUNCTION veravec_in(cstring, oid, integer) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_in_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_in(cstring, oid, integer) IS 'I/O';

CREATE FUNCTION veravec_out(veravec) RETURNS cstring
	AS 'MODULE_PATHNAME', 'veravec_out_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_out(veravec) IS 'I/O';

CREATE FUNCTION veravec_typmod_in(cstring[]) RETURNS integer
	AS 'MODULE_PATHNAME', 'veravec_typmod_in_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_typmod_in(cstring[]) IS 'I/O typmod';

CREATE FUNCTION veravec_recv(internal, oid, integer) RETURNS veravec
	AS 'MODULE_PATHNAME', 'veravec_recv_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_recv(internal, oid, integer) IS 'I/O';

CREATE FUNCTION veravec_send(veravec) RETURNS bytea
	AS 'MODULE_PATHNAME', 'veravec_send_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION veravec_send(veravec) IS 'I/O';

-- Stored out of line when large, but never compressed: embeddings do not compress, and trying costs time.
CREATE TYPE veravec (
	INPUT     = veravec_in,
	OUTPUT    = veravec_out,
	TYPMOD_IN = veravec_typmod_in,
	RECEIVE   = veravec_recv,
	SEND      = veravec_send,
	STORAGE   = external,
	-- A category of its own, in which it is what a bare literal means where functions take vectors of both types.
	CATEGORY  = 'v',
	PREFERRED = true
);

COMMENT ON TYPE veravec IS 'single-precision vector';
