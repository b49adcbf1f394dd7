-- Blueprint zerotrace: a chain for each of 1,000 companies, with an agent and some findings each.
CREATE EXTENSION auditspine SCHEMA bench;
\ir ../sql/tenants.sql
