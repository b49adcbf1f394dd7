//! The blueprints that there are. Their SQL is in `sql/blueprints/`, a folder each.

use crate::spine::schema::NAMES as SPINES;

/// A system that can be installed whole.
pub struct Blueprint {
    /// What it is called.
    pub name: &'static str,
    /// What it is for, in a line.
    pub purpose: &'static str,
    /// Its schemas and their tables.
    pub schemas: &'static [Schema],
    /// The statements that create it, file by file.
    pub sql: &'static [&'static str],
}

/// A schema of a blueprint.
pub struct Schema {
    /// Its usual name, and what stands for it between at-signs; `schema` does too where there is but one.
    pub name: &'static str,
    /// Tables, partitions left out.
    pub tables: &'static [&'static str],
    /// Tables that another blueprint, or `create_proof_spine_schema()`, may have created there.
    pub shared: &'static [&'static str],
}

/// All of them, by name.
pub const BLUEPRINTS: &[Blueprint] = &[FINDINGS, PROOFSPINE, SCIDEX, STELLAOPS, ZEROTRACE];

const FINDINGS: Blueprint = Blueprint {
    name: "findings",
    purpose: "scans, their findings, verdicts by AI and people's feedback on them",
    schemas: &[Schema {
        name: "findings",
        tables: &[
            "scans",
            "findings",
            "feedbacks",
            "pipeline_metrics",
            "epss_data",
            "epss_loads",
        ],
        shared: &[],
    }],
    sql: &[
        include_str!("../../sql/blueprints/findings/10-scans.sql"),
        include_str!("../../sql/blueprints/findings/20-verdicts.sql"),
        include_str!("../../sql/blueprints/findings/30-views.sql"),
        include_str!("../../sql/blueprints/findings/40-epss.sql"),
        include_str!("../../sql/blueprints/findings/50-sarif.sql"),
    ],
};

const PROOFSPINE: Blueprint = Blueprint {
    name: "proofspine",
    purpose: "signed decision chains from a bill of materials to a VEX verdict",
    schemas: &[Schema {
        name: "scanner",
        tables: &["proof_spine_runs", "proof_spine_alerts"],
        shared: SPINES,
    }],
    sql: &[
        include_str!("../../sql/blueprints/proofspine/10-spines.sql"),
        include_str!("../../sql/blueprints/proofspine/20-views.sql"),
        include_str!("../../sql/blueprints/proofspine/30-routine.sql"),
    ],
};

const SCIDEX: Blueprint = Blueprint {
    name: "scidex",
    purpose: "one append-only audit chain over many event tables",
    schemas: &[Schema {
        name: "scidex",
        tables: &[
            "artifact_provenance",
            "task_events",
            "comment_classifier_runs",
            "sandbox_audit_event",
            "senate_pause",
            "actor_write_trip_event",
            "senate_alerts",
            "audit_log",
        ],
        shared: &[],
    }],
    sql: &[
        include_str!("../../sql/blueprints/scidex/10-events.sql"),
        include_str!("../../sql/blueprints/scidex/20-senate.sql"),
        include_str!("../../sql/blueprints/scidex/30-audit.sql"),
        include_str!("../../sql/blueprints/scidex/40-window.sql"),
        include_str!("../../sql/blueprints/scidex/50-breaks.sql"),
        include_str!("../../sql/blueprints/scidex/60-files.sql"),
        include_str!("../../sql/blueprints/scidex/70-verify.sql"),
        include_str!("../../sql/blueprints/scidex/75-interface.sql"),
        include_str!("../../sql/blueprints/scidex/80-routine.sql"),
    ],
};

const STELLAOPS: Blueprint = Blueprint {
    name: "stellaops",
    purpose: "module-owned schemas for supply-chain security, with append-only advisory and VEX evidence",
    schemas: &[
        Schema {
            name: "authority",
            tables: &[
                "schema_migrations",
                "clients",
                "keys",
                "tokens",
                "audit_trail",
            ],
            shared: &[],
        },
        Schema {
            name: "scanner",
            tables: &[
                "schema_migrations",
                "scans",
                "artifacts",
                "images",
                "layers",
                "image_layers",
                "scan_artifacts",
            ],
            shared: SPINES,
        },
        Schema {
            name: "vuln",
            tables: &[
                "schema_migrations",
                "advisory_raw",
                "linksets",
                "observations",
            ],
            shared: &[],
        },
        Schema {
            name: "vex",
            tables: &["schema_migrations", "vex_raw", "consensus", "issuer_trust"],
            shared: &[],
        },
        Schema {
            name: "policy",
            tables: &[
                "schema_migrations",
                "policies",
                "policy_runs",
                "exceptions",
                "exception_approval_audit",
            ],
            shared: &[],
        },
        Schema {
            name: "scheduler",
            tables: &[
                "schema_migrations",
                "schedules",
                "runs",
                "run_summaries",
                "impact_snapshots",
            ],
            shared: &[],
        },
        Schema {
            name: "notify",
            tables: &[
                "schema_migrations",
                "rules",
                "channels",
                "templates",
                "delivery_log",
            ],
            shared: &[],
        },
        Schema {
            name: "orchestrator",
            tables: &["schema_migrations", "workflows", "tasks", "task_runs"],
            shared: &[],
        },
        Schema {
            name: "registry",
            tables: &["schema_migrations", "tokens", "repositories"],
            shared: &[],
        },
        Schema {
            name: "symbols",
            tables: &["schema_migrations", "symbols", "debug_info"],
            shared: &[],
        },
        Schema {
            name: "unknowns",
            tables: &["schema_migrations", "unknown_components", "tracking"],
            shared: &[],
        },
    ],
    sql: &[
        include_str!("../../sql/blueprints/stellaops/10-shared.sql"),
        include_str!("../../sql/blueprints/stellaops/20-authority.sql"),
        include_str!("../../sql/blueprints/stellaops/25-registry.sql"),
        include_str!("../../sql/blueprints/stellaops/28-objects.sql"),
        include_str!("../../sql/blueprints/stellaops/30-scanner.sql"),
        include_str!("../../sql/blueprints/stellaops/35-sboms.sql"),
        include_str!("../../sql/blueprints/stellaops/40-vuln.sql"),
        include_str!("../../sql/blueprints/stellaops/50-vex.sql"),
        include_str!("../../sql/blueprints/stellaops/55-consensus.sql"),
        include_str!("../../sql/blueprints/stellaops/60-policy.sql"),
        include_str!("../../sql/blueprints/stellaops/62-exceptions.sql"),
        include_str!("../../sql/blueprints/stellaops/63-approvals.sql"),
        include_str!("../../sql/blueprints/stellaops/64-findings.sql"),
        include_str!("../../sql/blueprints/stellaops/70-scheduler.sql"),
        include_str!("../../sql/blueprints/stellaops/75-notify.sql"),
        include_str!("../../sql/blueprints/stellaops/80-orchestrator.sql"),
        include_str!("../../sql/blueprints/stellaops/82-streams.sql"),
        include_str!("../../sql/blueprints/stellaops/85-symbols.sql"),
        include_str!("../../sql/blueprints/stellaops/90-unknowns.sql"),
    ],
};

const ZEROTRACE: Blueprint = Blueprint {
    name: "zerotrace",
    purpose: "findings of scanners for many tenants, a chain for each",
    schemas: &[Schema {
        name: "zerotrace",
        tables: &[
            "agents",
            "vulnerabilities_v2",
            "system_vulnerabilities",
            "network_findings",
            "container_findings",
            "auth_findings",
            "database_findings",
            "api_findings",
            "ai_ml_findings",
            "compliance_checks",
            "privacy_findings",
            "iot_ot_findings",
            "web3_findings",
        ],
        shared: &[],
    }],
    sql: &[
        include_str!("../../sql/blueprints/zerotrace/10-context.sql"),
        include_str!("../../sql/blueprints/zerotrace/20-hosts.sql"),
        include_str!("../../sql/blueprints/zerotrace/30-services.sql"),
        include_str!("../../sql/blueprints/zerotrace/40-domains.sql"),
        include_str!("../../sql/blueprints/zerotrace/50-tenants.sql"),
        include_str!("../../sql/blueprints/zerotrace/60-summaries.sql"),
        include_str!("../../sql/blueprints/zerotrace/70-statistics.sql"),
        include_str!("../../sql/blueprints/zerotrace/75-trends.sql"),
        include_str!("../../sql/blueprints/zerotrace/80-application.sql"),
    ],
};
