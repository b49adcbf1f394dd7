-- Made by scripts/upgrade-script of the numbered files in sql/0.5.0.

-- 10-names.sql
-- Names in views and function bodies are qualified, operators included.

-- 20-state.sql
-- State that is held against the chain: runs, alerts, publications, auditors.

-- 30-tenants.sql
-- Tenants' chains and operators' chains; who holds the audit's locks.

-- 40-guards.sql
-- Guards of the extension's own tables.
