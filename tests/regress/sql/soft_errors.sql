-- Errors that are asked about, not raised. PostgreSQL 16 and later.
SELECT current_setting('server_version_num')::int < 160000 AS too_old \gset
\if :too_old
SELECT '[]'::veravec;
\quit
\endif
SELECT input, pg_input_is_valid(input, 'veravec(2)') AS valid, e.* FROM unnest(ARRAY[
	'[1,2]', '[1,2', '[1,2,3]', '[]', '[1,NaN]', '[1,4e38]', '(1)', '[1,2]]'
]) AS input, pg_input_error_info(input, 'veravec(2)') AS e;
SELECT pg_input_is_valid('{"[1,2]","[1"}', 'veravec[]'), pg_input_is_valid('{"[1,2]","[1]"}', 'veravec[]');
