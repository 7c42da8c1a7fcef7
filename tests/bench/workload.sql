-- The tables and the writers of the benchmark. Sizes come in as settings:
-- bench.base is how many rows a table starts with, bench.changes how many follow.

CREATE FUNCTION bench_base() RETURNS integer LANGUAGE sql STABLE
RETURN current_setting('bench.base')::integer;

CREATE FUNCTION bench_changes() RETURNS integer LANGUAGE sql STABLE
RETURN current_setting('bench.changes')::integer;

-- The rows of pgbench_accounts.
CREATE PROCEDURE make_accounts(name text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (aid integer, bid integer, abalance integer, filler char(84))',
	    name);
	EXECUTE format('INSERT INTO %I SELECT i, (i - 1) / 100000 + 1, 0, '''' '
	    'FROM generate_series(1, bench_base()) i', name);
	EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (aid)', name);
END $$;

-- Narrow rows of five types.
CREATE PROCEDURE make_notes(name text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (id bigint, k integer, ts timestamptz, '
	    'amount numeric(12,2), note text)', name);
	EXECUTE format('INSERT INTO %I SELECT i, i, ''2024-01-01'', i, '
	    '''note number '' || i || '' of the batch run'' '
	    'FROM generate_series(1, bench_base()) i', name);
	EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id)', name);
END $$;

-- Wide rows of ten types, about 330 bytes each.
CREATE PROCEDURE make_events(name text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (id bigint, n integer, amount numeric(12,2), '
	    'f double precision, ts timestamptz, u uuid, body text, doc jsonb, ok boolean, '
	    'tags text[])', name);
	EXECUTE format($q$
		INSERT INTO %I
		SELECT i, i * 7919::bigint %% 1000003,
		    (i * 31337::bigint %% 100000000) / 100.0, sqrt(i) * 1.000001,
		    '2024-01-01'::timestamptz + i * interval '1.7 second',
		    md5(i::text)::uuid,
		    left(md5((i + 1)::text) || ' ' || md5((i + 2)::text), 52 + i %% 17),
		    jsonb_build_object('user', 'u' || i %% 99991, 'sess', md5((i + 3)::text),
			'page', '/p/' || i %% 1009, 'ms', i %% 5000, 'ab', i %% 2 = 0,
			'ref', 'https://x.y/' || i %% 77777),
		    i %% 3 = 0, ARRAY['t' || i %% 97, 'k' || i %% 1013]
		FROM generate_series(1, bench_base()) i $q$, name);
	EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id)', name);
END $$;

-- The writers: one statement a change, `per` changes a transaction.
CREATE PROCEDURE write_inserts(name text, per integer) LANGUAGE plpgsql AS $$
BEGIN
	SET synchronous_commit = off;
	FOR i IN 1..bench_changes() LOOP
		EXECUTE format('INSERT INTO %I VALUES ($1, $2, $3, $4, $5)', name)
		USING i::bigint, i * 7::bigint % 1000003,
		    '2024-01-01'::timestamptz + i * interval '1 second',
		    (i % 1000000 / 100.0)::numeric(12,2),
		    'note number ' || i || ' of the batch run';
		IF i % per = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- Random keys, but the same in every run.
CREATE PROCEDURE write_updates(name text, per integer) LANGUAGE plpgsql AS $$
BEGIN
	SET synchronous_commit = off;
	PERFORM setseed(0.5);
	FOR i IN 1..bench_changes() LOOP
		EXECUTE format('UPDATE %I SET abalance = abalance + $1 WHERE aid = $2', name)
		USING i % 1000, 1 + floor(random() * bench_base())::integer;
		IF i % per = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- Every fourth row, in the order of the key.
CREATE PROCEDURE write_deletes(name text, per integer) LANGUAGE plpgsql AS $$
BEGIN
	SET synchronous_commit = off;
	FOR i IN 1..bench_changes() LOOP
		EXECUTE format('DELETE FROM %I WHERE id = $1', name) USING i * 4::bigint;
		IF i % per = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;

CREATE TABLE marker (name text PRIMARY KEY);

-- What comes after the end: rows in marker that nobody waits for.
CREATE PROCEDURE write_tail(name text, changes integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..changes / 1000 LOOP
		INSERT INTO marker
		SELECT write_tail.name || ' tail ' || i || ' ' || j FROM generate_series(1, 1000) j;
		COMMIT;
	END LOOP;
END $$;
