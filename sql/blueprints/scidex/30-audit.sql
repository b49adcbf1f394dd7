-- scidex: all tables are audited, on the one chain.

-- Full payloads where what was written must be there even if the row is not: what the senate ordered and was told, where
-- artifacts come from, the log. Hashes alone where there are many rows, or where they may hold what nobody should keep
-- twice: arguments of commands, what people wrote.
SELECT @verbs@.audit_attach('@schema@.artifact_provenance', kind => '@schema@.artifact_provenance', chain => '@schema@',
                            payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@schema@.task_events', kind => '@schema@.task_events', chain => '@schema@', append_only => true);
SELECT @verbs@.audit_attach('@schema@.comment_classifier_runs', kind => '@schema@.comment_classifier_runs',
                            chain => '@schema@', append_only => true);
SELECT @verbs@.audit_attach('@schema@.sandbox_audit_event', kind => '@schema@.sandbox_audit_event', chain => '@schema@',
                            append_only => true);
SELECT @verbs@.audit_attach('@schema@.actor_write_trip_event', kind => '@schema@.actor_write_trip_event',
                            chain => '@schema@', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@schema@.audit_log', kind => '@schema@.audit_log', chain => '@schema@', payload => 'full',
                            append_only => true);
-- These are settled once, which is an event like the first writing.
SELECT @verbs@.audit_attach('@schema@.senate_pause', kind => '@schema@.senate_pause', chain => '@schema@', payload => 'full');
SELECT @verbs@.audit_attach('@schema@.senate_alerts', kind => '@schema@.senate_alerts', chain => '@schema@', payload => 'full');
