/*
 * expression.c: parsing and planning of one SQL expression.
 *
 * Expressions are what row filters of publications and CHECK constraints are: a
 * raw parse tree, transformed with a hook that resolves column references
 * against the customer row's type, coerced, and planned.  Names resolve under
 * search_path pg_catalog alone, whoever calls: everything else is written with
 * its schema.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "../compat.h"
#include "expression.h"

/* ---- error positions ---- */

static void
expression_error_context(void *arg)
{
	XsExpressionContext *context = arg;
	int			position = geterrposition();

	if (context->parsing && position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(context->expression->text);
	}
	if (context->parsing && geterrcode() == ERRCODE_UNDEFINED_FUNCTION)
		errhint("Names are looked up in pg_catalog only: write your own functions, types and operators with their schema.");
	if (context->policy != NULL)
		errcontext("%s of agent \"%s\": %s", context->expression->what,
				   context->policy->agent, context->expression->text);
	else
		errcontext("%s: %s", context->expression->what, context->expression->text);
}

void
xs_push_expression_context(XsExpressionContext *context)
{
	context->callback.callback = expression_error_context;
	context->callback.arg = context;
	context->callback.previous = error_context_stack;
	error_context_stack = &context->callback;
}

int
xs_pin_search_path(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

void
xs_unpin_search_path(int nest_level)
{
	AtEOXact_GUC(true, nest_level);
}

/* ---- raw parse ---- */

/* The expression's raw tree: exactly one value, and none of the clauses a SELECT could have. */
static Node *
parse_raw(const char *text)
{
	List	   *statements = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select = castNode(SelectStmt, linitial_node(RawStmt, statements)->stmt);
	ResTarget  *target;

	if (select->distinctClause != NIL || select->fromClause != NIL ||
		select->whereClause != NULL || select->groupClause != NIL ||
		select->havingClause != NULL || select->windowClause != NIL ||
		select->valuesLists != NIL || select->sortClause != NIL ||
		select->limitOffset != NULL || select->limitCount != NULL ||
		select->lockingClause != NIL || select->withClause != NULL ||
		select->op != SETOP_NONE || list_length(select->targetList) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a single expression is expected"),
				 errhint("Write what could stand in a CHECK constraint of the customer table.")));
	target = linitial_node(ResTarget, select->targetList);
	if (target->name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a single expression is expected, without an alias"),
				 errhint("Remove AS \"%s\".", target->name)));
	return target->val;
}

/* The qualifier of a two-part name ("product" in product.type), or NULL. */
static const char *
qualifier(const ColumnRef *ref)
{
	if (list_length(ref->fields) == 2 && IsA(linitial(ref->fields), String) &&
		IsA(lsecond(ref->fields), String))
		return strVal(linitial(ref->fields));
	return NULL;
}

static void
note_name(XsExpression *expression, const ColumnRef *ref)
{
	const char *q = qualifier(ref);
	const char *name = IsA(llast(ref->fields), String) ? strVal(llast(ref->fields)) : NULL;
	ListCell   *lc;

	if (q != NULL && strcmp(q, "product") == 0)
		expression->uses |= XS_USES_PRODUCT;
	else if (q != NULL && strcmp(q, "channel") == 0)
		expression->uses |= XS_USES_CHANNEL;
	else if (name != NULL && (q != NULL || list_length(ref->fields) == 1))
	{
		if (q != NULL && strcmp(q, "customer") != 0)
			name = psprintf("%s.%s", q, name);
		foreach(lc, expression->reads)
			if (strcmp(lfirst(lc), name) == 0)
				return;
		expression->reads = lappend(expression->reads, pstrdup(name));
	}
}

static bool
scan_walker(Node *node, void *arg)
{
	XsExpression *expression = arg;

	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
		note_name(expression, (ColumnRef *) node);
	if (IsA(node, SubLink))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("an expression may not contain a subquery"),
				 errhint("Bring the value in as a column of the customer row, or call a function that is STABLE."),
				 errposition(pg_mbstrlen_with_len(expression->text, ((SubLink *) node)->location) + 1)));
	return raw_expression_tree_walker(node, scan_walker, arg);
}

void
xs_expression_scan(XsExpression *expression)
{
	XsExpressionContext context = {.expression = expression,.parsing = true};

	expression->uses = 0;
	expression->reads = NIL;
	xs_push_expression_context(&context);
	(void) scan_walker(parse_raw(expression->text), expression);
	error_context_stack = context.callback.previous;
}

/* ---- names ---- */

static Node *
customer_column(ParseState *pstate, const XsScope *scope, const char *name, int location)
{
	int			found = 0;

	for (int i = 0; i < scope->row->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(scope->row, i);

		if (a->attisdropped || strcmp(NameStr(a->attname), name) != 0)
			continue;
		if (found != 0)
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_COLUMN),
					 errmsg("the customer row has more than one column \"%s\"", name),
					 errhint("Pass a row in which each column that the policy reads occurs once."),
					 parser_errposition(pstate, location)));
		found = i + 1;
	}
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the customer row has no column \"%s\"", name),
				 errdetail("The policy of agent \"%s\" reads it.", scope->policy->agent),
				 errhint("Pass a row of table %s, or one that has the same columns.",
						 scope->policy->customer_table),
				 parser_errposition(pstate, location)));
	else
	{
		Form_pg_attribute a = TupleDescAttr(scope->row, found - 1);
		Var		   *var = makeVar(1, found, a->atttypid, a->atttypmod, a->attcollation, 0);

		var->location = location;
		return (Node *) var;
	}
	return NULL;				/* keep compiler quiet */
}

static Node *
text_constant(const char *value)
{
	return (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
							  PointerGetDatum(cstring_to_text(value)), false, false);
}

/* A scalar attribute as a constant: text, numeric or boolean; null and missing are an untyped NULL. */
static Node *
attribute_constant(Jsonb *attributes, const char *key, bool *found)
{
	JsonbValue *v = getKeyJsonValueFromContainer(&attributes->root, key, strlen(key), NULL);

	*found = v != NULL;
	if (v != NULL && v->type == jbvString)
		return text_constant(pnstrdup(v->val.string.val, v->val.string.len));
	if (v != NULL && v->type == jbvNumeric)
		return (Node *) makeConst(NUMERICOID, -1, InvalidOid, -1,
								  PointerGetDatum(v->val.numeric), false, false);
	if (v != NULL && v->type == jbvBool)
		return (Node *) makeConst(BOOLOID, -1, InvalidOid, 1,
								  BoolGetDatum(v->val.boolean), false, true);
	return (Node *) makeConst(UNKNOWNOID, -1, InvalidOid, -2, (Datum) 0, true, false);
}

/* An attribute that no product (channel) of the agent has is a slip of the pen. */
static bool
attribute_exists(const XsPolicy *policy, bool product, const char *key)
{
	int			n = product ? policy->noffers : policy->nchannels;
	bool		found = n == 0;

	for (int i = 0; i < n && !found; i++)
		(void) attribute_constant(product ? policy->offers[i].attributes : policy->channels[i].attributes,
								  key, &found);
	return found;
}

static Node *
arm_attribute(ParseState *pstate, const XsScope *scope, bool product, const char *key, int location)
{
	const char *name = product ? "product" : "channel";
	int			index = product ? scope->offer : scope->channel;
	bool		found;

	if (strcmp(key, name) == 0)
		return text_constant(index < 0 ? "" : product ? scope->policy->offers[index].product
							 : scope->policy->channels[index].channel);
	if (!attribute_exists(scope->policy, product, key))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("no %s of agent \"%s\" has an attribute \"%s\"", name, scope->policy->agent, key),
				 errhint("Attributes are the keys of column \"attributes\" of xsell.%s.", name),
				 parser_errposition(pstate, location)));
	if (index < 0)
		return attribute_constant(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"))),
								  key, &found);
	return attribute_constant(product ? scope->policy->offers[index].attributes
							  : scope->policy->channels[index].attributes, key, &found);
}

/* context.KEY: the text of that key of the call's jsonb, NULL if there is none. */
static Node *
context_key(const char *key)
{
	Param	   *context = makeNode(Param);

	context->paramkind = PARAM_EXTERN;
	context->paramid = XS_CONTEXT_PARAM;
	context->paramtype = JSONBOID;
	context->paramtypmod = -1;
	context->paramcollid = InvalidOid;
	context->location = -1;
	return (Node *) makeFuncExpr(F_JSONB_OBJECT_FIELD_TEXT, TEXTOID,
								 list_make2(context, text_constant(key)),
								 DEFAULT_COLLATION_OID, DEFAULT_COLLATION_OID, COERCE_EXPLICIT_CALL);
}

/* market.INDICATOR: its value at the time of the call. */
static Node *
market_indicator(ParseState *pstate, const XsScope *scope, const char *name, int location)
{
	int			i = xs_policy_indicator(scope->policy, name);
	Param	   *value = makeNode(Param);

	if (i < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("there is no market indicator \"%s\"", name),
				 errhint("Insert its first value into xsell.market."),
				 parser_errposition(pstate, location)));
	value->paramkind = PARAM_EXTERN;
	value->paramid = XS_MARKET_PARAM + i;
	value->paramtype = scope->policy->indicators[i].type;
	value->paramtypmod = -1;
	value->paramcollid = value->paramtype == TEXTOID ? DEFAULT_COLLATION_OID : InvalidOid;
	value->location = location;
	return (Node *) value;
}

static Node *
resolve_name(ParseState *pstate, ColumnRef *ref)
{
	const XsScope *scope = pstate->p_ref_hook_state;
	const char *q = qualifier(ref);
	const char *name = q != NULL ? strVal(lsecond(ref->fields)) : NULL;

	if (q == NULL && list_length(ref->fields) == 1 && IsA(linitial(ref->fields), String))
		return customer_column(pstate, scope, strVal(linitial(ref->fields)), ref->location);
	if (q != NULL && strcmp(q, "customer") == 0)
		return customer_column(pstate, scope, name, ref->location);
	if (q != NULL && strcmp(q, "product") == 0)
		return arm_attribute(pstate, scope, true, name, ref->location);
	if (q != NULL && strcmp(q, "channel") == 0)
		return arm_attribute(pstate, scope, false, name, ref->location);
	if (q != NULL && strcmp(q, "market") == 0)
		return market_indicator(pstate, scope, name, ref->location);
	if (q != NULL && strcmp(q, "context") == 0)
		return context_key(name);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("\"%s\" is not something an expression can read", NameListToString(ref->fields)),
			 errhint("Expressions read columns of the customer row, product.KEY, channel.KEY, market.INDICATOR and context.KEY."),
			 parser_errposition(pstate, ref->location)));
	return NULL;				/* keep compiler quiet */
}

/* ---- types ---- */

static void
wrong_type(const XsExpression *expression, Oid type, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("%s must be of type %s, not %s", expression->what, expected, format_type_be(type)),
			 errhint("Cast the expression, or derive a value of that type from it.")));
}

static Node *
coerce(ParseState *pstate, Node *node, Oid target, CoercionContext how)
{
	Oid			type = exprType(node);

	if (!can_coerce_type(1, &type, &target, how))
		return NULL;
	return coerce_to_target_type(pstate, node, type, target, -1, how, COERCE_IMPLICIT_CAST, -1);
}

static Node *
coerce_feature(ParseState *pstate, const XsExpression *expression, Node *node)
{
	Oid			type = getBaseType(exprType(node));
	char		category;
	bool		preferred;
	Node	   *coerced = NULL;

	get_type_category_preferred(type, &category, &preferred);
	if (category == TYPCATEGORY_BOOLEAN)
		coerced = coerce(pstate, node, BOOLOID, COERCION_IMPLICIT);
	else if (category == TYPCATEGORY_NUMERIC)
		coerced = coerce(pstate, node, FLOAT8OID, COERCION_IMPLICIT);
	else if (category == TYPCATEGORY_STRING || category == TYPCATEGORY_UNKNOWN)
		coerced = coerce(pstate, node, TEXTOID, COERCION_IMPLICIT);
	else if (category == TYPCATEGORY_ENUM)
		coerced = coerce(pstate, node, TEXTOID, COERCION_EXPLICIT);
	if (coerced == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s must be boolean, numeric, text or an enum, not %s",
						expression->what, format_type_be(exprType(node))),
				 errhint("Derive such a value, for example extract(year FROM ...) of a date.")));
	return coerced;
}

static Node *
coerce_result(ParseState *pstate, const XsExpression *expression, const XsScope *scope, Node *node)
{
	Node	   *coerced = NULL;
	Oid			type = exprType(node);

	switch (expression->result)
	{
		case XS_RESULT_BOOLEAN:
			coerced = coerce(pstate, node, BOOLOID, COERCION_IMPLICIT);
			if (coerced == NULL)
				wrong_type(expression, type, "boolean");
			break;
		case XS_RESULT_NUMBER:
			coerced = coerce(pstate, node, FLOAT8OID, COERCION_IMPLICIT);
			if (coerced == NULL)
				wrong_type(expression, type, "double precision");
			break;
		case XS_RESULT_TEXT:
			coerced = coerce(pstate, node, TEXTOID,
							 TypeCategory(getBaseType(type)) == TYPCATEGORY_ENUM ? COERCION_EXPLICIT : COERCION_IMPLICIT);
			if (coerced == NULL)
				wrong_type(expression, type, "text");
			break;
		case XS_RESULT_KEY:
			if (!OidIsValid(scope->key_type))
				return node;
			coerced = coerce(pstate, node, scope->key_type, COERCION_ASSIGNMENT);
			if (coerced == NULL)
				wrong_type(expression, type, format_type_be(scope->key_type));
			break;
		case XS_RESULT_FEATURE:
			coerced = coerce_feature(pstate, expression, node);
			break;
	}
	return coerced;
}

/* ---- the whole ---- */

static Node *
transform(const XsExpression *expression, const XsScope *scope)
{
	ParseState *pstate = make_parsestate(NULL);
	Node	   *node;

	pstate->p_sourcetext = expression->text;
	pstate->p_pre_columnref_hook = resolve_name;
	pstate->p_ref_hook_state = (void *) scope;
	node = transformExpr(pstate, parse_raw(expression->text), EXPR_KIND_OTHER);

	if (pstate->p_hasAggs || pstate->p_hasWindowFuncs || pstate->p_hasSubLinks || expression_returns_set(node))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("an expression may not contain aggregates, window functions or set-returning functions"),
				 errhint("It is evaluated for one customer row at a time.")));
	node = coerce_result(pstate, expression, scope, node);
	assign_expr_collations(pstate, node);
	free_parsestate(pstate);
	return node;
}

/* The type a domain is directly based on; InvalidOid if it is no domain. */
static Oid
base_of_domain(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	Oid			base;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	base = form->typtype == TYPTYPE_DOMAIN ? form->typbasetype : InvalidOid;
	ReleaseSysCache(tuple);
	return base;
}

/*
 * The executor takes over a domain's constraints when it prepares an expression,
 * which is why a plan does not depend on them; a prepared expression does.
 */
static bool
domains_walker(Node *node, void *arg)
{
	List	  **items = arg;

	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain))
		for (Oid type = ((CoerceToDomain *) node)->resulttype; OidIsValid(type); type = base_of_domain(type))
		{
			PlanInvalItem *item = makeNode(PlanInvalItem);

			item->cacheId = TYPEOID;
			item->hashValue = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type));
			*items = lappend(*items, item);
		}
	return expression_tree_walker(node, domains_walker, arg);
}

Expr *
xs_expression_plan(const XsExpression *expression, const XsScope *scope, List **invalidations)
{
	XsExpressionContext context = {.policy = scope->policy,.expression = expression,.parsing = true};
	List	   *relations = NIL;
	List	   *items = NIL;
	Node	   *node;
	Expr	   *planned;

	xs_push_expression_context(&context);
	node = transform(expression, scope);
	if (contain_volatile_functions(node))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("an expression may not call volatile functions"),
				 errdetail("A decision could not be traced to what the expression read."),
				 errhint("Use functions that are IMMUTABLE or STABLE.")));
	context.parsing = false;
	planned = expression_planner_with_deps((Expr *) node, &relations, &items);
	(void) domains_walker((Node *) planned, &items);
	error_context_stack = context.callback.previous;

	*invalidations = list_concat(*invalidations, items);
	return planned;
}
