/*
 * agent.h: an agent with the models and strategies of src/model, as src/score.c,
 * src/learn.c and src/policy/model.c put them together.
 */
#ifndef AGENT_H
#define AGENT_H

#include "../../src/model/forecast.h"
#include "world.h"

/* What an agent's policy says: columns of xsell.agent, and at the end what the server would do. */
typedef struct Settings
{
	const char *oracle;
	const char *strategy;
	double		posterior_scale;
	double		ucb_width;
	double		epsilon;
	double		epsilon_end;
	double		softmax_temperature;
	double		squarecb_gamma;
	double		floor;
	double		floor_end;
	const char *schedule;		/* of epsilon and floor */
	double		schedule_half;
	double		neutral_rate;
	double		prior_strength;
	double		prior_precision;
	double		pooling;		/* of products with a group; below 0: none, not even of nothing */
	double		half_life;		/* weeks; 0: none */
	double		week;			/* rounds that pass for a week of evidence */
	double		learn_every;	/* rounds */
} Settings;

/* settings.c */
extern const Settings default_settings;
extern bool settings_change(Settings *settings, const char *name, const char *value);	/* false: there is no such setting */
extern void settings_print(const Settings *settings);

/* A decision, as far as learning needs it. */
typedef struct Decision
{
	int			round;
	int			product;
	int			segment;
	double		predictor;
	float		forecasts[XS_FORECASTERS];
	float		x[XS_MAX_DIM];
} Decision;

typedef struct Agent Agent;

extern Agent *agent_create(const Settings *settings, const World *world);
extern void agent_free(Agent *agent);

/* Fills q (by product, 0 where it is not allowed yet) and the decision. */
extern void agent_decide(Agent *agent, uint64_t seed, int round, const Customer *customer, double *q, Decision *decision);

/* sign -1 takes away what was learned. */
extern void agent_learn(Agent *agent, const Decision *decision, double reward, int sign);

#endif
