/*
 * policy.h: an agent's policy as decisions use it.
 *
 * A policy is read from one row of xsell.policy (definition.c) and needs no
 * catalog to be understood: layout, arms and parameters are in it, so that a
 * logged decision can be replayed under the version that made it.  Deciding for
 * a customer row needs its expressions compiled too: that is an XsProgram.
 */
#ifndef XS_POLICY_H
#define XS_POLICY_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/jsonb.h"

#include "../model/explore.h"
#include "../model/oracle.h"

/* What an expression must yield. */
typedef enum XsResult
{
	XS_RESULT_BOOLEAN,
	XS_RESULT_NUMBER,			/* float8 */
	XS_RESULT_FEATURE,			/* boolean, float8 or text, see XsFeatureKind */
	XS_RESULT_KEY				/* the journal's key type */
} XsResult;

/* Names an expression may use besides the customer's columns; decides how often it is compiled. */
#define XS_USES_PRODUCT 1
#define XS_USES_CHANNEL 2
#define XS_USES_ARM (XS_USES_PRODUCT | XS_USES_CHANNEL)

typedef struct XsExpression
{
	const char *text;
	const char *what;			/* for messages: rule "adult" */
	XsResult	result;
	int			number;			/* position among the policy's expressions */
	int			uses;			/* of XS_USES_*, by its text */
} XsExpression;

typedef struct XsOffer
{
	const char *product;
	Jsonb	   *attributes;
	bool		active;
	TimestampTz valid_from;		/* DT_NOBEGIN if always */
	TimestampTz valid_until;	/* DT_NOEND if always; exclusive */
	XsExpression *propensity;	/* each NULL if not given */
	XsExpression *value;
	XsExpression *cost;
	XsExpression *held;
} XsOffer;

typedef struct XsChannel
{
	const char *channel;
	Jsonb	   *attributes;
	XsExpression *consent;
} XsChannel;

typedef enum XsFeatureKind
{
	XS_FEATURE_UNKNOWN,			/* not compiled yet */
	XS_FEATURE_BOOLEAN,
	XS_FEATURE_NUMERIC,
	XS_FEATURE_TEXT
} XsFeatureKind;

typedef struct XsFeature
{
	const char *feature;
	XsExpression *expression;
	XsFeatureKind kind;
	double		center;
	double		scale;
	double		clip;
	int			nlevels;
	const char **levels;
	int			column;			/* first of its columns */
	int			ncolumns;
} XsFeature;

typedef struct XsRule
{
	const char *rule;
	int			offer;			/* index, or -1 for all */
	int			channel;
	XsExpression *expression;
} XsRule;

typedef struct XsCap
{
	const char *cap;
	int			offer;
	int			channel;
	int			max_offers;
	Interval	per;
} XsCap;

typedef struct XsPolicy
{
	MemoryContext context;
	const char *agent;
	int32		version;

	/* parameters */
	const char *customer_table; /* qualified name */
	XsExpression *customer_key;
	bool		paused;
	const XsOracle *oracle;
	const XsStrategy *strategy;
	XsExploration exploration;
	XsPrior		prior;			/* uses_propensity is set per offer */
	double		control_share;
	int64		seed;

	/* arm = offer * nchannels + channel */
	int			noffers;
	XsOffer    *offers;
	int			nchannels;
	XsChannel  *channels;

	/* in the order of columns: those that are the same for all arms first */
	int			nfeatures;
	XsFeature  *features;
	int			nrules;			/* in the order of evaluation */
	XsRule	   *rules;
	int			ncaps;
	XsCap	   *caps;

	int			nexpressions;
	XsExpression **expressions;

	/* layout of the feature vector: intercept, features, propensity */
	int32		encoding;
	int			dim;
	int			ntail;			/* last columns, which may differ between arms */
} XsPolicy;

#define XS_NARMS(policy) ((policy)->noffers * (policy)->nchannels)
#define XS_ARM_OFFER(policy, arm) (&(policy)->offers[(arm) / (policy)->nchannels])
#define XS_ARM_CHANNEL(policy, arm) (&(policy)->channels[(arm) % (policy)->nchannels])
#define XS_MAX_ARMS 4096

/* definition.c: a definition (jsonb) read into its own memory context */
extern XsPolicy *xs_policy_read(const char *agent, int32 version, Jsonb *definition);
extern int	xs_policy_offer(const XsPolicy *policy, const char *product);	/* -1: none */
extern int	xs_policy_channel(const XsPolicy *policy, const char *channel);

/* layout.c: columns of the feature vector */
extern void xs_layout(XsPolicy *policy);
extern const char *xs_column_name(const XsPolicy *policy, int column);
extern const char *xs_feature_kind_name(XsFeatureKind kind);
extern XsFeatureKind xs_feature_kind(const char *name);

/* expression.c: parsing and planning of one expression */
extern int	xs_expression_uses(const char *text, const char *what);

#endif
