-- The tables of blueprint zerotrace, without the trigger.
CREATE EXTENSION auditspine SCHEMA bench;
SET bench.audited = off;
\ir ../sql/tenants.sql
