/*
 * types.h: the SQL types xsell_beta, xsell_glm and xsell_score, as the rest of
 * xsell meets them.
 *
 * A valid state is one that some set of observations could have left: no count
 * is negative, successes do not exceed trials where rewards lie in [0,1], no
 * diagonal element of a precision is negative, a forecaster's observations are
 * among all and its scores within what they can cost, and a state of no
 * observations is zero throughout.  Every value that enters (text, binary, stored) and every
 * result of "-" is held to that, so what was never added cannot be removed.
 */
#ifndef XS_TYPES_H
#define XS_TYPES_H

#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/nodes.h"
#include "utils/array.h"

#include "../compat.h"
#include "../model/evidence.h"
#include "../model/forecast.h"

/* ---- values, for the rest of xsell ---- */

/* The state behind a datum, checked.  It may be the datum's own memory: read only. */
extern const XsBeta *xs_beta_arg(Datum value);
extern const XsScore *xs_score_arg(Datum value);

/* A checked copy of the state behind a datum, in the current memory context; it may be changed. */
extern XsGlm *xs_glm_detoast(Datum value);

/* A zero state of dim columns, in the current memory context. */
extern XsGlm *xs_glm_new(int dim, XsLink link);

/* A copy as a value of the SQL type, in the current memory context. */
extern Datum xs_beta_datum(const XsBeta *state);
extern Datum xs_glm_datum(const XsGlm *state);
extern Datum xs_score_datum(const XsScore *state);

/* XS_OK returns; everything else is reported as an error of the SQL type named. */
extern void xs_check_status(XsStatus status, const char *type);

/* "identity" and "logit"; another name is an error. */
extern XsLink xs_link_from_name(const char *name);
extern const char *xs_link_name(XsLink link);

/* ---- between the files of src/types ---- */

/*
 * A stored xsell_glm.  format is the first thing that changes if the body ever
 * does; flags is always zero in this format.
 */
typedef struct XsGlmValue
{
	int32		vl_len_;		/* varlena header, do not touch directly */
	uint16		format;
	uint16		flags;
	XsGlm		body;
} XsGlmValue;

#define XS_GLM_FORMAT 0x5801	/* 'X', version 1 */
#define XS_GLM_VALUE_SIZE(dim) (offsetof(XsGlmValue, body) + XS_GLM_SIZE(dim))

StaticAssertDecl(sizeof(XsBeta) == 24, "xsell_beta is stored as 24 bytes");
StaticAssertDecl(sizeof(XsScore) == 280, "xsell_score is stored as 280 bytes");
StaticAssertDecl(sizeof(XsGlm) == 32, "the body of xsell_glm begins with 32 bytes");
StaticAssertDecl(offsetof(XsGlmValue, body) == 8, "the body of xsell_glm is aligned");

/* What is wrong with a state, or NULL: a sentence for errdetail. */
extern const char *xs_beta_fault(const XsBeta *state);
extern const char *xs_glm_fault(const XsGlm *state);
extern const char *xs_score_fault(const XsScore *state);

/* A zero value; a checked value to read; a checked value to change (always a copy). */
extern XsGlmValue *xs_glm_value_new(int dim, XsLink link);
extern const XsGlmValue *xs_glm_value_arg(Datum value);
extern XsGlmValue *xs_glm_value_copy(Datum value);

/* Checks of arguments; each owns its error's wording. */
extern void xs_check_reward(double reward, XsLink link);
extern void xs_check_weight(double weight);
extern void xs_check_predictor(double predictor);
extern void xs_check_prior(double value, const char *what);
extern void xs_check_same_shape(const XsGlm *state, const XsGlm *other);

/* Reads the format of a binary message; the length of what is left of it. */
extern void xs_check_binary_format(StringInfo message, int known, const char *type);
extern void xs_check_binary_length(StringInfo message, Size wanted, const char *type);

/* The elements of features[], checked; *dim is their number.  May be the array's own memory. */
extern const float *xs_check_features(ArrayType *features, int *dim);

/* Copies forecasts[], checked, NULL as NaN; returns their number, at most XS_FORECASTERS. */
extern int	xs_check_forecasts(ArrayType *array, float *forecasts);

/* ---- text.c: reading the text form ---- */

typedef enum XsFieldKind
{
	XS_FIELD_INTEGER,
	XS_FIELD_STRING,
	XS_FIELD_INTEGERS
} XsFieldKind;

/* A member that the object must have exactly once. */
typedef struct XsField
{
	const char *key;
	XsFieldKind kind;
	bool		seen;
	int64		integer;
	char	   *string;
	int64	   *integers;
	int			count;			/* of integers; more than limit are refused */
	int			limit;
} XsField;

/*
 * Fills fields[] from a JSON object of exactly these members, in any order.
 * False: an error was saved in the context (never without one).
 */
extern bool xs_read_object(const char *text, const char *type, XsField *fields,
						   int nfields, Node *context);

#endif
