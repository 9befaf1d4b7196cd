-- Whose each loaded night was: district orgs and schools, so that a pull of another district is seen. And what a person said
-- with a run was right.

alter table directory.sync_runs add identity jsonb, add accepted jsonb;
