/*
 * learn_policy.c: what outcomes and learning need of an agent's newest policy.
 *
 * Kept per backend, one memory context per agent.  The newest version is looked
 * up at every use, under a new snapshot; what was read of another version is
 * read anew.  A version number alone does not identify a policy: one that was
 * rolled back is given again, so the time of publishing is compared too.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "journal/journal.h"
#include "learn.h"

static XsStatement newest = {
	.relation = "policy",
	.sql = "SELECT p.policy_version, p.published_at"
	"  FROM xsell.policy p"
	" WHERE p.agent OPERATOR(pg_catalog.=) $1"
	" ORDER BY p.policy_version DESC LIMIT 1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static XsStatement mode_of = {
	.relation = "policy",
	.sql = "SELECT p.definition OPERATOR(pg_catalog.->) 'agent' OPERATOR(pg_catalog.->>) 'learning'"
	"  FROM xsell.policy p"
	" WHERE p.agent OPERATOR(pg_catalog.=) $1 AND p.policy_version OPERATOR(pg_catalog.=) $2",
	.nargs = 2,
	.argtypes = {TEXTOID, INT4OID}
};

static XsStatement settings_of = {
	.relation = "policy",
	.sql = "SELECT (p.definition OPERATOR(pg_catalog.->) 'agent' OPERATOR(pg_catalog.->>) 'learning_batch')::pg_catalog.int8"
	"  FROM xsell.policy p"
	" WHERE p.agent OPERATOR(pg_catalog.=) $1 AND p.policy_version OPERATOR(pg_catalog.=) $2",
	.nargs = 2,
	.argtypes = {TEXTOID, INT4OID}
};

static XsStatement feeds_of = {
	.relation = "policy",
	.sql = "SELECT f.value OPERATOR(pg_catalog.->>) 'feed', f.value OPERATOR(pg_catalog.->>) 'channel',"
	"       (f.value OPERATOR(pg_catalog.->>) 'longest_silence')::pg_catalog.interval"
	"  FROM xsell.policy p, pg_catalog.jsonb_array_elements(p.definition OPERATOR(pg_catalog.->) 'feeds') f"
	" WHERE p.agent OPERATOR(pg_catalog.=) $1 AND p.policy_version OPERATOR(pg_catalog.=) $2",
	.nargs = 2,
	.argtypes = {TEXTOID, INT4OID}
};

/* Of a deleted agent: its last ones, its offers may still convert. */
static XsStatement outcomes_of = {
	.relation = "policy",
	.sql = "SELECT o.key, o.value::pg_catalog.float8, k.harm, k.opt_out, k.terminal, k.delivery, k.reverses"
	"  FROM (SELECT p.definition OPERATOR(pg_catalog.->) 'outcomes' AS outcomes,"
	"               p.definition OPERATOR(pg_catalog.->) 'kinds' AS kinds"
	"          FROM xsell.policy p"
	"         WHERE p.agent OPERATOR(pg_catalog.=) $1 AND p.definition IS NOT NULL"
	"         ORDER BY p.policy_version DESC LIMIT 1) last,"
	"       pg_catalog.jsonb_each_text(last.outcomes) o"
	"  LEFT JOIN LATERAL (SELECT (k.value OPERATOR(pg_catalog.->>) 'harm')::pg_catalog.float8 AS harm,"
	"                            k.value OPERATOR(pg_catalog.->>) 'opt_out' AS opt_out,"
	"                            (k.value OPERATOR(pg_catalog.->>) 'terminal')::pg_catalog.bool AS terminal,"
	"                            k.value OPERATOR(pg_catalog.->>) 'delivery' AS delivery,"
	"                            k.value OPERATOR(pg_catalog.->>) 'reverses' AS reverses"
	"          FROM pg_catalog.jsonb_array_elements(last.kinds) k"
	"         WHERE k.value OPERATOR(pg_catalog.->>) 'outcome' OPERATOR(pg_catalog.=) o.key) k ON true"
	" ORDER BY 2 DESC, 1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* Every encoding is named after the policy version that introduced it. */
static XsStatement identity_of = {
	.relation = "policy",
	.sql = "SELECT ARRAY(SELECT p.policy_version FROM xsell.policy p"
	"              WHERE p.agent OPERATOR(pg_catalog.=) $1"
	"                AND p.definition OPERATOR(pg_catalog.->) 'agent' OPERATOR(pg_catalog.->>) 'oracle'"
	"                    OPERATOR(pg_catalog.=) 'linear')",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static XsStatement agents = {
	.relation = "policy",
	.sql = "SELECT DISTINCT p.agent FROM xsell.policy p ORDER BY 1",
	.nargs = 0
};

static const XsOutcomeKind builtin[] = {
	{"conversion", .reward = 1, .terminal = true},
	{"decline", .reward = 0, .terminal = true}
};

static XsLearning **known = NULL;
static int	nknown = 0;

static Datum
column(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, isnull);
}

static XsLearningMode
read_mode(Datum agent, int32 version)
{
	Datum		values[] = {agent, Int32GetDatum(version)};
	bool		isnull = true;
	Datum		mode = 0;

	if (xs_execute(&mode_of, values, NULL, XS_READ_NEWEST, 1) == 1)
		mode = column(0, 1, &isnull);
	if (isnull)
		return XS_LEARN_HOLD;
	if (strcmp(TextDatumGetCString(mode), "online") == 0)
		return XS_LEARN_ONLINE;
	if (strcmp(TextDatumGetCString(mode), "deferred") == 0)
		return XS_LEARN_DEFERRED;
	if (strcmp(TextDatumGetCString(mode), "background") == 0)
		return XS_LEARN_BACKGROUND;
	return XS_LEARN_HOLD;
}

static void
read_feeds(XsLearning *learning, Datum agent, int32 version)
{
	Datum		values[] = {agent, Int32GetDatum(version)};
	uint64		n = xs_execute(&feeds_of, values, NULL, XS_READ_NEWEST, 0);
	XsFeed	   *feeds = MemoryContextAlloc(learning->context, sizeof(XsFeed) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		Datum		channel = column(i, 2, &isnull);

		feeds[i].channel = isnull ? NULL : MemoryContextStrdup(learning->context, TextDatumGetCString(channel));
		feeds[i].feed = MemoryContextStrdup(learning->context, TextDatumGetCString(column(i, 1, &isnull)));
		feeds[i].longest_silence = *DatumGetIntervalP(column(i, 3, &isnull));
	}
	learning->nfeeds = (int) n;
	learning->feeds = feeds;
}

static int64
read_batch(Datum agent, int32 version)
{
	Datum		values[] = {agent, Int32GetDatum(version)};
	bool		isnull = true;
	Datum		batch = 0;

	if (xs_execute(&settings_of, values, NULL, XS_READ_NEWEST, 1) == 1)
		batch = column(0, 1, &isnull);
	return isnull ? 1 : DatumGetInt64(batch);
}

/* NULL for NULL. */
static const char *
text_column(MemoryContext context, uint64 row, int number)
{
	bool		isnull;
	Datum		value = column(row, number, &isnull);

	return isnull ? NULL : MemoryContextStrdup(context, TextDatumGetCString(value));
}

/* conversion and decline are terminal whatever else is said of them. */
static void
read_outcomes(XsLearning *learning, Datum agent)
{
	uint64		n = xs_execute(&outcomes_of, &agent, NULL, XS_READ_NEWEST, 0);
	XsOutcomeKind *kinds;
	int			nkinds = 0;

	kinds = MemoryContextAlloc(learning->context, sizeof(XsOutcomeKind) * (n + lengthof(builtin)));
	for (int i = 0; i < lengthof(builtin); i++)
		kinds[nkinds++] = builtin[i];
	for (uint64 i = 0; i < n; i++)
	{
		const char *name = text_column(learning->context, i, 1);
		bool		isnull;
		Datum		reward = column(i, 2, &isnull);
		Datum		harm;
		Datum		terminal;
		int			k = 0;

		if (isnull)
			continue;
		while (k < nkinds && strcmp(kinds[k].outcome, name) != 0)
			k++;
		if (k == nkinds)
		{
			memset(&kinds[k], 0, sizeof(XsOutcomeKind));
			kinds[nkinds++].outcome = name;
		}
		kinds[k].reward = DatumGetFloat8(reward);
		harm = column(i, 3, &isnull);
		kinds[k].harm = isnull ? 0 : DatumGetFloat8(harm);
		kinds[k].opt_out = text_column(learning->context, i, 4);
		terminal = column(i, 5, &isnull);
		kinds[k].terminal |= !isnull && DatumGetBool(terminal);
		kinds[k].delivery = text_column(learning->context, i, 6);
		kinds[k].reverses = text_column(learning->context, i, 7);
	}
	learning->noutcomes = nkinds;
	learning->outcomes = kinds;
}

Datum
xs_identity_encodings(const char *agent, XsAccess access, MemoryContext context)
{
	Datum		name = CStringGetTextDatum(agent);
	MemoryContext caller;
	Datum		encodings;
	bool		isnull;

	xs_execute(&identity_of, &name, NULL, access, 1);
	caller = MemoryContextSwitchTo(context);
	encodings = PointerGetDatum(DatumGetArrayTypePCopy(column(0, 1, &isnull)));
	MemoryContextSwitchTo(caller);
	return encodings;
}

static XsLearning *
read_learning(const char *name, Datum agent, int32 version, int64 published_at)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "xsell learning",
												  ALLOCSET_SMALL_SIZES);
	XsLearning *learning = MemoryContextAllocZero(context, sizeof(XsLearning));

	learning->context = context;
	learning->agent = MemoryContextStrdup(context, name);
	learning->version = version;
	learning->published_at = published_at;
	learning->mode = read_mode(agent, version);
	learning->batch = read_batch(agent, version);
	read_feeds(learning, agent, version);
	read_outcomes(learning, agent);
	learning->identity = xs_identity_encodings(name, XS_READ_NEWEST, context);
	MemoryContextSetParent(context, TopMemoryContext);	/* complete: keep it */
	return learning;
}

/* The place of this agent among those known, made if there is none. */
static XsLearning **
place_of(const char *agent)
{
	for (int i = 0; i < nknown; i++)
		if (known[i] != NULL && strcmp(known[i]->agent, agent) == 0)
			return &known[i];
	if (known == NULL)
		known = MemoryContextAlloc(TopMemoryContext, sizeof(XsLearning *) * 8);
	else if (nknown >= 8 && (nknown & (nknown - 1)) == 0)
		known = repalloc(known, sizeof(XsLearning *) * nknown * 2);
	known[nknown] = NULL;
	return &known[nknown++];
}

const XsLearning *
xs_learning(const char *agent)
{
	Datum		name = CStringGetTextDatum(agent);
	XsLearning *fresh;
	XsLearning **place;
	int32		version;
	int64		published_at;
	bool		isnull;

	if (xs_execute(&newest, &name, NULL, XS_READ_NEWEST, 1) == 0)
		return NULL;
	version = DatumGetInt32(column(0, 1, &isnull));
	published_at = DatumGetTimestampTz(column(0, 2, &isnull));

	for (int i = 0; i < nknown; i++)
		if (known[i] != NULL && strcmp(known[i]->agent, agent) == 0 &&
			known[i]->version == version && known[i]->published_at == published_at)
			return known[i];

	fresh = read_learning(agent, name, version, published_at);
	place = place_of(agent);
	if (*place != NULL)
		MemoryContextDelete((*place)->context);
	*place = fresh;
	return fresh;
}

uint64
xs_agents(char ***names, MemoryContext context)
{
	uint64		n = xs_execute(&agents, NULL, NULL, XS_READ_NEWEST, 0);
	MemoryContext caller = MemoryContextSwitchTo(context);

	*names = palloc(sizeof(char *) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
		(*names)[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	MemoryContextSwitchTo(caller);
	return n;
}

const XsOutcomeKind *
xs_outcome_kind(const XsLearning *learning, const char *outcome)
{
	for (int i = 0; i < learning->noutcomes; i++)
		if (strcmp(learning->outcomes[i].outcome, outcome) == 0)
			return &learning->outcomes[i];
	return NULL;
}
