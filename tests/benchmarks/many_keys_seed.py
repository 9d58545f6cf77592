"""Fill a LiteLLM database with a company: 20,000 keys of 3,000 users in 120 teams, made over two years.

    python -m tests.benchmarks.many_keys_seed DATABASE_URL [--keys 20000] [--users 3000] [--teams 120]

Its rows are those named `big-…`; they are replaced, all others are left alone. The same numbers give the same rows, but
for the times, which are counted from now. The secret of key N is `sk-big-N`. Takes psql.

A tenth of the keys has no alias, a third ends (a part of these has ended), a quarter has a budget (a few are over it),
one in 40 is blocked, one in 25 was never used, one in 30 belongs to a team and nobody.
"""

import argparse
import subprocess

MARK = "big-"

SQL = """
begin;
delete from "LiteLLM_VerificationToken" where metadata ? 'big';
delete from "LiteLLM_DeletedVerificationToken" where metadata ? 'big';
delete from "LiteLLM_UserTable" where user_id like 'big-user-%';
delete from "LiteLLM_TeamTable" where team_id like 'big-team-%';

create temporary table dice on commit drop as
select n, ('x' || substr(md5('big' || n), 1, 6))::bit(24)::int / 16777216.0 as a,
       ('x' || substr(md5('big' || n), 7, 6))::bit(24)::int / 16777216.0 as b,
       ('x' || substr(md5('big' || n), 13, 6))::bit(24)::int / 16777216.0 as c,
       ('x' || substr(md5('big' || n), 19, 6))::bit(24)::int / 16777216.0 as d
from generate_series(1, greatest(:keys, :users, :teams)) as n;

insert into "LiteLLM_TeamTable" (team_id, team_alias, members_with_roles, models, spend, max_budget, budget_duration,
    budget_reset_at, metadata, created_at, updated_at)
select 'big-team-' || lpad(n::text, 3, '0'),
    (array['Payments', 'Search', 'Data platform', 'Support', 'Risk', 'Mobile', 'Research', 'Growth'])[1 + n % 8]
        || ' ' || n,
    (select coalesce(jsonb_agg(jsonb_build_object('user_id', 'big-user-' || lpad(u::text, 4, '0'), 'role', 'user')),
        '[]') from generate_series(n, :users, :teams) as u),
    case when a < 0.3 then array['gpt-4o', 'claude-sonnet-4-5'] else '{}' end,
    round((b * 4000)::numeric, 2), case when c < 0.7 then 500 * (1 + floor(c * 8)) end,
    case when c < 0.7 then '30d' end, case when c < 0.7 then now() + interval '12 days' end,
    '{"big": true}', now() - interval '2 years' * d, now()
from dice where n <= :teams;

insert into "LiteLLM_UserTable" (user_id, user_alias, user_email, user_role, teams, models, spend, max_budget,
    budget_duration, budget_reset_at, metadata, created_at, updated_at)
select 'big-user-' || lpad(n::text, 4, '0'),
    (array['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Radia', 'Ken', 'Margaret', 'Dennis'])[1 + n % 10]
        || ' ' || chr(65 + n % 26) || '.',
    'person' || n || '@big.example', case when n % 400 = 0 then 'proxy_admin_viewer' else 'internal_user' end,
    array['big-team-' || lpad((1 + (n - 1) % :teams)::text, 3, '0')], '{}', round((a * a * 90)::numeric, 4),
    case when b < 0.8 then 10 * (1 + floor(b * 10)) end, case when b < 0.8 then '30d' end,
    case when b < 0.8 then now() + interval '20 days' * c end, '{"big": true}', now() - interval '2 years' * d, now()
from dice where n <= :users;

insert into "LiteLLM_VerificationToken" (token, key_name, key_alias, spend, total_spend, expires, models, user_id,
    team_id, metadata, blocked, tpm_limit, rpm_limit, max_budget, budget_duration, budget_reset_at, created_at,
    created_by, updated_at, updated_by, last_active)
select encode(sha256(('sk-big-' || n)::bytea), 'hex'), 'sk-...' || right('000' || n, 4),
    case when n % 10 <> 3 then (array['laptop', 'ci', 'notebook', 'batch', 'prod', 'staging', 'cursor', 'eval'])
        [1 + (n * 7) % 8] || '-' || (array['ada', 'payments', 'search', 'risk', 'mobile'])[1 + n % 5] || '-' || n end,
    spend, spend * (1 + 9 * d), ends, case when c < 0.2 then array['gpt-4o'] when c < 0.3 then
        array['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4-5'] else '{}' end,
    case when n % 30 <> 7 then owner end, case when n % 30 = 7 or n % 3 = 0 then team end,
    jsonb_build_object('big', true, 'cost_center', 'cc-' || n % 40), case when n % 40 = 11 then true end,
    case when d < 0.1 then 100000 end, case when d < 0.15 then 60 end, max_budget,
    case when max_budget is not null then '30d' end,
    case when max_budget is not null then now() + interval '9 days' end,
    born, 'default_user_id', greatest(born, coalesce(seen, born)), 'default_user_id', seen
from (
    select n, a, b, c, d, born, max_budget, 'big-user-' || lpad((1 + n % :users)::text, 4, '0') as owner,
        'big-team-' || lpad((1 + (n % :users) % :teams)::text, 3, '0') as team,
        case when b < 0.33 then
            born + interval '1 day' * (array[30, 90, 365, 365, 730])[1 + floor(c * 5)::int] end as ends,
        case when n % 25 <> 4 then born + (now() - born) * (1 - b * b * b) end as seen,
        case when n % 25 = 4 then 0 when max_budget is null then round((a * a * a * 60)::numeric, 6)
             else round((max_budget * a * 1.04)::numeric, 6) end as spend
    from (select *, date_trunc('milliseconds', now() - interval '2 years' * (1 - sqrt(n::float / :keys))
                 - interval '1 second' * a) as born,
             case when c > 0.75 then (array[5, 20, 50, 100, 250])[1 + floor(d * 5)::int]::float end as max_budget
          from dice where n <= :keys) as made
) as keys;
commit;
analyze "LiteLLM_VerificationToken";
"""


def seed(database: str, *, keys: int = 20_000, users: int = 3_000, teams: int = 120) -> None:
    """Put the company into the database at the libpq URL `database`, in place of an earlier one."""
    given = [f"--variable={name}={value}" for name, value in (("keys", keys), ("users", users), ("teams", teams))]
    subprocess.run(
        ["psql", database, "-q", "-v", "ON_ERROR_STOP=1", *given, "-f", "-"], input=SQL, text=True, check=True
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("database")
    for name, value in (("--keys", 20_000), ("--users", 3_000), ("--teams", 120)):
        parser.add_argument(name, type=int, default=value)
    given = parser.parse_args()
    seed(given.database, keys=given.keys, users=given.users, teams=given.teams)


if __name__ == "__main__":
    main()
