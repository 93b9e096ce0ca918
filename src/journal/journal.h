/*
 * journal.h: the journal's ids, statements and writers.
 */
#ifndef XS_JOURNAL_H
#define XS_JOURNAL_H

#include "postgres.h"
#include "access/genam.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"

#include "../decision.h"

/*
 * ids.c: 64-bit ids in time order, made without a sequence
 *
 * xs_new_id never returns an id twice in a backend.  Its ids rise, except when
 * the simulated clock is set back.  The smallest id of a millisecond is 0 for
 * times before 2024, and PG_INT64_MAX for times after all ids.
 */
extern int64 xs_new_id(void);
extern int64 xs_id_floor(TimestampTz at);	/* smallest id of that millisecond */
extern TimestampTz xs_id_time(int64 id);

/* Ids of imported decisions: the first place of a time (of those before 2024, 0), and the id of a place. */
extern int64 xs_import_place(TimestampTz at);
extern int64 xs_import_id(int64 place);

/*
 * statement.c: statements on journal tables, planned once per backend and run
 * as the owner of the table they are about (as foreign keys are), so that
 * callers need no rights on the journal.
 *
 * Between SPI_connect and SPI_finish; results are in SPI_tuptable.
 *
 * Statements run with the owner's rights and under the caller's search_path, so
 * everything in them is named by schema: tables, functions, casts, operators
 * (OPERATOR(pg_catalog.=); no IN, BETWEEN, LIKE, CASE x WHEN, IS DISTINCT
 * FROM, which look up operators by name).  {=} stands for the equality of the key
 * type, which need not be in pg_catalog; one of the arguments must be a key.
 */
#define XS_MAX_ARGS 32

/* stand for types in argtypes that are known only at run time */
#define XS_KEY_TYPE			InvalidOid	/* the journal's key type */
#define XS_CANDIDATES_TYPE	((Oid) 1)	/* xsell_candidates */
#define XS_BETA_TYPE		((Oid) 2)	/* xsell_beta */
#define XS_GLM_TYPE			((Oid) 3)	/* xsell_glm */
#define XS_SCORE_TYPE		((Oid) 4)	/* xsell_score */

typedef enum XsAccess
{
	XS_READ,					/* under the active snapshot, read only: runs on a standby too */
	XS_READ_NEWEST,				/* sees the newest committed rows, also under REPEATABLE READ */
	XS_WRITE					/* likewise, and may write */
} XsAccess;

typedef struct XsStatement
{
	const char *relation;		/* table of schema xsell whose owner runs it */
	const char *sql;
	int			nargs;
	Oid			argtypes[XS_MAX_ARGS];
	bool		bulk;			/* reads much of a table: planned as any query, in parallel if that pays */
	SPIPlanPtr	plan;			/* kept; private to statement.c */
	Oid			planned_for;	/* relation oid, likewise */
	Oid			planned_key;	/* key type, likewise */
} XsStatement;

/* Returns the number of rows processed. nulls as for SPI, or NULL. limit 0: all. */
extern uint64 xs_execute(XsStatement *statement, const Datum *values, const char *nulls,
						 XsAccess access, long limit);

/* A table of the journal; errors with a hint to xsell_create_journal if there is none. */
extern Oid	xs_journal_relation(const char *name);

/* The owner of a table. */
extern Oid	xs_journal_owner(Oid relid);

/* The journal's key type; errors with a hint to xsell_create_journal if there is no journal. */
extern Oid	xs_journal_key_type(void);

/*
 * by_key.c: a scan, by systable_getnext, of the rows of a plain table whose
 * primary key begins with the customer key; NULL if it is no such table.
 */
extern SysScanDesc xs_scan_by_key(Relation table, AttrNumber key_column, Snapshot snapshot, Datum customer_key);

/* key.c: customer keys as text that means the same in every session, and hashed */
extern char *xs_key_text(Datum key);
extern Datum xs_key_from_text(const char *text);

/* A polymorphic argument as a key; a value of another type is converted by way of its text. */
extern Datum xs_key_argument(FunctionCallInfo fcinfo, int n);

/* Equal keys have equal hashes. Not stable between versions of PostgreSQL. */
extern uint64 xs_key_hash(Datum key, uint64 seed);

/* contact.c: the contact ledger, one row per customer */
typedef enum XsContactState
{
	XS_CONTACT_FREE,			/* ours until the transaction ends (if locked), contacts filled */
	XS_CONTACT_BUSY				/* another transaction is deciding for this customer */
} XsContactState;

/* An outcome of one of the contacts. */
typedef struct XsOutcomeSeen
{
	int			contact;		/* its index */
	char	   *outcome;
	char	   *delivery;		/* "delivered", "undelivered", or NULL: it reports none */
	char	   *reverses;		/* or NULL */
	bool		counts;			/* no outcome that counts reverses it */
	TimestampTz occurred_at;
	int64		outcome_id;		/* tells when it was recorded */
} XsOutcomeSeen;

typedef struct XsContacts
{
	int			n;				/* oldest first */
	int64	   *decision_id;
	char	  **agent;
	char	  **product;
	char	  **channel;
	int			noutcomes;		/* filled by xs_contact_outcomes */
	XsOutcomeSeen *outcomes;
	bool		is_new;			/* the customer has no row yet; nobody else can make one before xs_contact_unlock */
} XsContacts;

/* As the active snapshot sees it; no lock, nothing written. No row: n = 0. */
extern void xs_contact_read(Datum customer_key, XsContacts *contacts);

/*
 * Locks the customer's row, if there is one, and reads its newest version, without
 * ever waiting.  xs_contact_unlock must follow once the decision is written: the
 * row stays locked until the transaction ends, but a customer without a row is
 * free again.
 */
extern XsContactState xs_contact_lock(Datum customer_key, XsContacts *contacts);
extern void xs_contact_unlock(Datum customer_key, XsContacts *contacts);

/*
 * Adds the offer of a decision to the locked row, in the order of the ids, and
 * drops entries of the same agent that are older than keep_since.  contacts are
 * those that xs_contact_lock returned; they are left as they are.
 */
extern void xs_contact_add(const XsDecision *decision, const XsContacts *contacts,
						   TimestampTz keep_since);

/* Gives a customer without a row an empty one, so that others find the customer busy. */
extern void xs_contact_keep(Datum customer_key, const XsContacts *contacts);

/* responses.c: what became of contacts, and what the customer consented to */

/* Fills the outcomes of contacts. XS_READ or XS_READ_NEWEST. */
extern void xs_contact_outcomes(XsContacts *contacts, XsAccess access);

typedef struct XsConsent
{
	char	   *channel;		/* or "*" */
	char	   *purpose;		/* or "*" */
	bool		granted;
} XsConsent;

/* The customer's rows of xsell.consent; returns their number. */
extern int	xs_consents(Datum customer_key, XsAccess access, XsConsent **consents);

/* Writes a withdrawal of consent, by an outcome. Between SPI_connect and SPI_finish. */
extern void xs_withdraw_consent(Datum customer_key, const char *channel, const char *purpose, int64 decision_id);

/*
 * writer.c: the one writer of decision, request and late
 *
 * Strings and arrays that are read or needed in between are allocated in the
 * current memory context, which is to be a short-lived one.
 *
 * The row of a request waits for another transaction's with the same key: only
 * whoever holds the contact lock may write one.
 */
extern void xs_write_decision(const XsDecision *decision);
extern void xs_write_request(const XsDecision *decision);
extern void xs_write_late(const XsDecision *decision);

/* The decision that this request key was answered with, or 0. Newest rows. */
extern int64 xs_find_request(Datum customer_key, const char *agent, const char *request_key);

/* Reads a logged decision back (active snapshot, or newest); false if there is none. */
extern bool xs_read_decision(int64 decision_id, XsAccess access, XsDecision *decision);

/*
 * candidates.c: the compact SQL type xsell_candidates
 *
 * Packing keeps every field bit for bit, except that zeros lose their sign, and
 * fields that the flags of a candidate can leave out (value 1, cost 0) their bytes.
 * Equal lists are equal bytes.
 */
extern Datum xs_candidates_pack(int n, const XsCandidate *candidates);
extern int	xs_candidates_unpack(Datum packed, XsCandidate **candidates);

#endif
