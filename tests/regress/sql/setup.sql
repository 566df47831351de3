-- Everything that the other tests share.
CREATE EXTENSION vera_vec;

-- What a statement that must fail tells the client.
CREATE FUNCTION error_of(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	message := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END
$$;

-- A vector of that many dimensions, as text.
CREATE FUNCTION ones(dim int) RETURNS text LANGUAGE sql RETURN '[' || rtrim(repeat('1,', dim), ',') || ']';

-- Whether PostgreSQL plans a statement in a certain way, whatever its version calls the rest.
CREATE FUNCTION plan_has(statement text, pattern text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
		IF line ~ pattern THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END
$$;
