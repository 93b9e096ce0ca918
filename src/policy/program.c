/*
 * program.c: a policy's expressions, compiled for one row type.
 *
 * An expression that reads product or channel is compiled once for each of
 * their values, so that attributes fold into constants; equal results of that
 * are shared.  Every distinct expression is evaluated at most once per row.
 *
 * Lifetime: a program lives in one memory context of the backend.  Functions and
 * types that its expressions use are watched through syscache callbacks, which
 * only mark it invalid; its owner compiles a new one at the next use.
 */
#include "postgres.h"

#include <math.h>

#include "executor/executor.h"
#include "executor/tuptable.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "../compat.h"
#include "expression.h"
#include "program.h"

/* One distinct planned expression and, while a row is current, its value. */
typedef struct Compiled
{
	Expr	   *expr;
	ExprState  *state;			/* NULL for a constant */
	uint64		row;			/* number of the row that value belongs to */
	Datum		value;
	bool		isnull;
} Compiled;

/* Compiled forms of one expression: variants[offer * nchannels + channel], by what it uses. */
typedef struct Variants
{
	int			by_offer;		/* factors of the index: 0 if it does not use product */
	int			by_channel;
	int			n;
	Compiled  **compiled;
} Variants;

struct XsProgram
{
	MemoryContext context;
	const XsPolicy *policy;
	bool		valid;
	List	   *invalidations;	/* PlanInvalItems */
	Variants   *variants;		/* by the expression's number */
	ExprContext *econtext;
	TupleTableSlot *slot;
	HeapTupleData tuple;
	uint64		row;			/* number of the current row */
	XsProgram  *next;			/* all programs of the backend */
};

static XsProgram *programs = NULL;

/* ---- invalidation ---- */

static void
invalidate(Datum arg, int cache, uint32 hash)
{
	for (XsProgram *program = programs; program != NULL; program = program->next)
	{
		ListCell   *lc;

		foreach(lc, program->invalidations)
		{
			PlanInvalItem *item = lfirst(lc);

			if (item->cacheId == cache && (hash == 0 || item->hashValue == hash))
				program->valid = false;
		}
	}
}

static void
watch_catalogs(void)
{
	static bool watching = false;

	if (watching)
		return;
	CacheRegisterSyscacheCallback(PROCOID, invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, invalidate, (Datum) 0);
	watching = true;
}

bool
xs_program_valid(const XsProgram *program)
{
	return program->valid;
}

static void
forget(void *arg)
{
	XsProgram  *program = arg;

	for (XsProgram **link = &programs; *link != NULL; link = &(*link)->next)
		if (*link == program)
		{
			*link = program->next;
			break;
		}
}

MemoryContext
xs_program_retire(XsProgram *program)
{
	forget(program);
	return program->context;
}

/* From now on, until its context is gone, also by an error further up. */
static void
watch(XsProgram *program)
{
	MemoryContextCallback *at_end = MemoryContextAllocZero(program->context, sizeof(MemoryContextCallback));

	at_end->func = forget;
	at_end->arg = program;
	MemoryContextRegisterResetCallback(program->context, at_end);
	program->next = programs;
	programs = program;
}

/* ---- compilation ---- */

static Compiled *
compile_one(XsProgram *program, const XsExpression *expression, const XsScope *scope,
			Compiled **known, int nknown)
{
	Expr	   *expr = xs_expression_plan(expression, scope, &program->invalidations);
	Compiled   *c;

	for (int i = nknown - 1; i >= 0; i--)
		if (equal(known[i]->expr, expr))
			return known[i];

	c = palloc0(sizeof(Compiled));
	c->expr = expr;
	if (IsA(expr, Const))
	{
		c->value = ((Const *) expr)->constvalue;
		c->isnull = ((Const *) expr)->constisnull;
	}
	else
	{
		XsExpressionContext context = {.policy = program->policy,.expression = expression};

		xs_push_expression_context(&context);
		c->state = ExecInitExpr(expr, NULL);
		error_context_stack = context.callback.previous;
	}
	return c;
}

static void
compile_variants(XsProgram *program, const XsExpression *expression, XsScope *scope)
{
	const XsPolicy *policy = program->policy;
	Variants   *v = &program->variants[expression->number];
	int			noffers = expression->uses & XS_USES_PRODUCT ? policy->noffers : 1;
	int			nchannels = expression->uses & XS_USES_CHANNEL ? policy->nchannels : 1;

	v->by_offer = expression->uses & XS_USES_PRODUCT ? nchannels : 0;
	v->by_channel = expression->uses & XS_USES_CHANNEL ? 1 : 0;
	v->compiled = palloc0(sizeof(Compiled *) * Max(noffers * nchannels, 1));

	/* An agent without offers is checked all the same, with the attributes unknown. */
	if (noffers * nchannels == 0)
	{
		scope->offer = scope->channel = -1;
		v->compiled[v->n++] = compile_one(program, expression, scope, NULL, 0);
		return;
	}
	for (int offer = 0; offer < noffers; offer++)
		for (int channel = 0; channel < nchannels; channel++)
		{
			CHECK_FOR_INTERRUPTS();
			scope->offer = expression->uses & XS_USES_PRODUCT ? offer : -1;
			scope->channel = expression->uses & XS_USES_CHANNEL ? channel : -1;
			v->compiled[v->n] = compile_one(program, expression, scope, v->compiled, v->n);
			v->n++;
		}
}

/* A constant NULL, as a missing attribute is, fits every kind. */
static XsFeatureKind
kind_of(const Expr *expr)
{
	if (IsA(expr, Const) && ((Const *) expr)->constisnull)
		return XS_FEATURE_UNKNOWN;
	switch (exprType((Node *) expr))
	{
		case BOOLOID:
			return XS_FEATURE_BOOLEAN;
		case FLOAT8OID:
			return XS_FEATURE_NUMERIC;
		default:
			return XS_FEATURE_TEXT;
	}
}

/* The kind of a feature for all arms. */
static XsFeatureKind
common_kind(const XsPolicy *policy, const XsFeature *feature, const Variants *v)
{
	XsFeatureKind common = XS_FEATURE_UNKNOWN;

	for (int i = 0; i < v->n; i++)
	{
		XsFeatureKind kind = kind_of(v->compiled[i]->expr);

		if (common == XS_FEATURE_UNKNOWN)
			common = kind;
		else if (kind != XS_FEATURE_UNKNOWN && kind != common)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("feature \"%s\" of agent \"%s\" is %s for one arm and %s for another",
							feature->feature, policy->agent,
							xs_feature_kind_name(common), xs_feature_kind_name(kind)),
					 errhint("Give the attributes that it reads one type, or cast the expression.")));
	}
	if (common != XS_FEATURE_UNKNOWN)
		return common;
	if (feature->kind != XS_FEATURE_UNKNOWN)
		return feature->kind;
	return feature->nlevels > 0 ? XS_FEATURE_TEXT : XS_FEATURE_NUMERIC;
}

/* Fails if a feature has another kind than its encoding was made for. */
static void
check_kind(const XsPolicy *policy, XsFeature *feature, XsFeatureKind kind)
{
	if (feature->kind == XS_FEATURE_UNKNOWN)
		feature->kind = kind;
	if (feature->kind != kind)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("feature \"%s\" is %s for this row, not %s", feature->feature,
						xs_feature_kind_name(kind), xs_feature_kind_name(feature->kind)),
				 errdetail("The model of agent \"%s\" was declared on table %s.",
						   policy->agent, policy->customer_table),
				 errhint("Pass a row whose columns have the types of that table.")));
	if (kind == XS_FEATURE_TEXT && feature->nlevels == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text feature \"%s\" of agent \"%s\" has no levels", feature->feature, policy->agent),
				 errhint("List in column \"levels\" the values that the model should tell apart.")));
	if (kind != XS_FEATURE_TEXT && feature->nlevels > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s feature \"%s\" of agent \"%s\" has levels", xs_feature_kind_name(kind),
						feature->feature, policy->agent),
				 errhint("Only text features have levels; cast the expression to text if it names categories.")));
}

static void
compile_all(XsProgram *program, XsPolicy *policy, TupleDesc row, Oid key_type)
{
	XsScope		scope = {.policy = policy,.row = row,.key_type = key_type};

	program->variants = palloc0(sizeof(Variants) * policy->nexpressions);
	for (int i = 0; i < policy->nexpressions; i++)
		compile_variants(program, policy->expressions[i], &scope);
	for (int i = 0; i < policy->nfeatures; i++)
	{
		XsFeature  *feature = &policy->features[i];

		check_kind(policy, feature,
				   common_kind(policy, feature, &program->variants[feature->expression->number]));
	}
}

static ParamListInfo
make_parameters(const XsPolicy *policy)
{
	ParamListInfo list = makeParamList(XS_MARKET_PARAM - 1 + policy->nindicators);

	list->params[XS_CONTEXT_PARAM - 1].ptype = JSONBOID;
	for (int i = 0; i < policy->nindicators; i++)
		list->params[XS_MARKET_PARAM - 1 + i].ptype = policy->indicators[i].type;
	return list;
}

XsProgram *
xs_program_compile(XsPolicy *policy, TupleDesc row, Oid key_type, MemoryContext parent)
{
	/* Made in the caller's context, so that an error leaves nothing behind. */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "xsell program",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	XsProgram  *program = palloc0(sizeof(XsProgram));
	int			nest_level;

	watch_catalogs();
	program->context = context;
	program->policy = policy;
	program->valid = true;

	nest_level = xs_pin_search_path();
	compile_all(program, policy, row, key_type);
	xs_unpin_search_path(nest_level);

	program->econtext = CreateStandaloneExprContext();
	program->slot = MakeSingleTupleTableSlot(CreateTupleDescCopyConstr(row), &TTSOpsHeapTuple);
	program->econtext->ecxt_scantuple = program->slot;
	program->econtext->ecxt_param_list_info = make_parameters(policy);

	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(context, parent);
	watch(program);
	return program;
}

/* ---- evaluation ---- */

/* The value that holds at the time: that of the last row before; none is NULL. */
static void
set_indicator(const XsIndicator *indicator, TimestampTz now, ParamExternData *param)
{
	int			k = indicator->n - 1;

	while (k >= 0 && indicator->since[k] > now)
		k--;
	param->isnull = k < 0 || indicator->isnull[k];
	param->value = param->isnull ? (Datum) 0 : indicator->value[k];
}

void
xs_program_row(XsProgram *program, HeapTupleHeader row, Datum context, bool context_null, TimestampTz now)
{
	ParamExternData *params = program->econtext->ecxt_param_list_info->params;

	program->row++;
	program->tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&program->tuple.t_self);
	program->tuple.t_tableOid = InvalidOid;
	program->tuple.t_data = row;
	ExecStoreHeapTuple(&program->tuple, program->slot, false);
	params[XS_CONTEXT_PARAM - 1].value = context;
	params[XS_CONTEXT_PARAM - 1].isnull = context_null;
	for (int i = 0; i < program->policy->nindicators; i++)
		set_indicator(&program->policy->indicators[i], now, &params[XS_MARKET_PARAM - 1 + i]);
}

/* Forgets the row, and what evaluating it allocated. */
void
xs_program_done(XsProgram *program)
{
	ExecClearTuple(program->slot);
	ResetExprContext(program->econtext);
}

Datum
xs_evaluate(XsProgram *program, const XsExpression *expression, int offer, int channel, bool *isnull)
{
	const Variants *v = &program->variants[expression->number];
	Compiled   *c = v->compiled[offer * v->by_offer + channel * v->by_channel];

	if (c->state != NULL && c->row != program->row)
	{
		XsExpressionContext context = {.policy = program->policy,.expression = expression};

		xs_push_expression_context(&context);
		c->value = ExecEvalExprSwitchContext(c->state, program->econtext, &c->isnull);
		error_context_stack = context.callback.previous;
		c->row = program->row;
	}
	*isnull = c->isnull;
	return c->value;
}

double
xs_evaluate_number(XsProgram *program, const XsExpression *expression, int offer, int channel, bool *isnull)
{
	double		value = DatumGetFloat8(xs_evaluate(program, expression, offer, channel, isnull));

	if (*isnull)
		return 0;
	if (isnan(value) || isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s of agent \"%s\" is %s", expression->what, program->policy->agent,
						isnan(value) ? "NaN" : "infinite"),
				 errdetail("Expression: %s", expression->text),
				 errhint("Make it a number, or NULL where there is none.")));
	return value;
}

static char *
value_text(Oid type, Datum value)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(type, &output, &is_varlena);
	return OidOutputFunctionCall(output, value);
}

/* NULL for NULL, and for what the row does not have. */
static char *
column_text(XsProgram *program, const char *name)
{
	TupleDesc	desc = program->slot->tts_tupleDescriptor;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);
		bool		isnull;
		Datum		value;

		if (a->attisdropped || strcmp(NameStr(a->attname), name) != 0)
			continue;
		value = slot_getattr(program->slot, i + 1, &isnull);
		return isnull ? NULL : value_text(a->atttypid, value);
	}
	return NULL;
}

static char *
parameter_text(const XsProgram *program, int param)
{
	const ParamExternData *p = &program->econtext->ecxt_param_list_info->params[param - 1];

	return p->isnull ? NULL : value_text(p->ptype, p->value);
}

static char *
context_text(const XsProgram *program, const char *key)
{
	const ParamExternData *p = &program->econtext->ecxt_param_list_info->params[XS_CONTEXT_PARAM - 1];
	JsonbValue *v = p->isnull ? NULL
		: getKeyJsonValueFromContainer(&DatumGetJsonbP(p->value)->root, key, strlen(key), NULL);

	if (v == NULL || v->type == jbvNull)
		return NULL;
	if (v->type == jbvString)
		return pnstrdup(v->val.string.val, v->val.string.len);
	return JsonbToCString(NULL, &JsonbValueToJsonb(v)->root, 0);
}

static char *
read_text(XsProgram *program, const char *name)
{
	if (strncmp(name, "context.", 8) == 0)
		return context_text(program, name + 8);
	if (strncmp(name, "market.", 7) == 0)
	{
		int			i = xs_policy_indicator(program->policy, name + 7);

		return i < 0 ? NULL : parameter_text(program, XS_MARKET_PARAM + i);
	}
	return column_text(program, name);
}

static void
push_text(JsonbParseState **state, JsonbIteratorToken token, const char *text)
{
	JsonbValue	v;

	v.type = text == NULL ? jbvNull : jbvString;
	if (text != NULL)
	{
		v.val.string.val = unconstify(char *, text);
		v.val.string.len = strlen(text);
	}
	pushJsonbValue(state, token, &v);
}

Jsonb *
xs_reads_json(XsProgram *program, const List *names)
{
	JsonbParseState *state = NULL;
	ListCell   *lc;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, names)
	{
		push_text(&state, WJB_KEY, lfirst(lc));
		push_text(&state, WJB_VALUE, read_text(program, lfirst(lc)));
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
