/*
 * expression.h: one SQL expression, parsed and planned against a row type.
 */
#ifndef XS_EXPRESSION_H
#define XS_EXPRESSION_H

#include "postgres.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"

#include "policy.h"

/* Numbers of the parameters that stand for context and market. */
#define XS_CONTEXT_PARAM 1
#define XS_MARKET_PARAM 2

/* What an expression is planned for: the row type, and the arm whose attributes fold away. */
typedef struct XsScope
{
	const XsPolicy *policy;
	TupleDesc	row;
	Oid			key_type;		/* for XS_RESULT_KEY; InvalidOid: any */
	int			offer;			/* index, or -1 if the expression does not use product */
	int			channel;
} XsScope;

/*
 * Parses, checks and plans; returns an expression of the result's type (bool,
 * float8, text, key type).  Appends to *invalidations what it depends on.  Errors
 * point into the expression's text.  Names resolve under search_path pg_catalog.
 */
extern Expr *xs_expression_plan(const XsExpression *expression, const XsScope *scope,
								List **invalidations);

/* The same search_path for everything that is planned in between. */
extern int	xs_pin_search_path(void);
extern void xs_unpin_search_path(int nest_level);

/* An error context that names the expression: push, and pop by restoring error_context_stack. */
typedef struct XsExpressionContext
{
	ErrorContextCallback callback;
	const XsPolicy *policy;
	const XsExpression *expression;
	bool		parsing;		/* cursor positions refer to the expression's text */
} XsExpressionContext;

extern void xs_push_expression_context(XsExpressionContext *context);

#endif
