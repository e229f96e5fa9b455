/* SPDX-License-Identifier: MIT */
/*
 * circle.c - see circle.h.
 *
 * Who can go on is found backwards: first all nodes without targets, then whoever waits for them. Each
 * edge is looked at once.
 *
 * Layer: lua. Locks: circles.mu, a leaf lock: references are dropped and posts sent after it.
 */
#include "lua/circle.h"

#include <stdlib.h>
#include <string.h>

/* ---- building ----------------------------------------------------------------------------- */

/* The array with room for `more` further elements, or NULL: then it is as it was. */
static void *grow(void *array, uint32_t count, uint32_t *size, uint32_t more, size_t element)
{
    if (count + more <= *size)
        return array;
    uint32_t wanted = *size == 0 ? 32 : *size * 2;
    while (wanted < count + more)
        wanted *= 2;
    void *larger = realloc(array, wanted * element);
    if (larger != NULL)
        *size = wanted;
    return larger;
}

uint32_t tutti__waits_add_node(struct tutti__waits *waits)
{
    struct tutti__wait_node *nodes = (struct tutti__wait_node *)grow(
        waits->nodes, waits->node_count, &waits->node_size, 1, sizeof *nodes);
    if (nodes == NULL) {
        waits->is_short = true;
        return TUTTI__NO_NODE;
    }
    waits->nodes = nodes;
    memset(&waits->nodes[waits->node_count], 0, sizeof *waits->nodes);
    return waits->node_count++;
}

void tutti__waits_add_edge(struct tutti__waits *waits, uint32_t node, tutti_task *task)
{
    struct tutti__wait_edge *edges = (struct tutti__wait_edge *)grow(
        waits->edges, waits->edge_count, &waits->edge_size, 1, sizeof *edges);
    if (edges == NULL) {
        waits->is_short = true;
        return;
    }
    waits->edges = edges;
    waits->edges[waits->edge_count++] = (struct tutti__wait_edge){ node, task };
}

uint32_t tutti__waits_add_text(struct tutti__waits *waits, const char *text)
{
    uint32_t at = waits->text_count;
    size_t length = strlen(text) + 1;
    char *larger = (char *)grow(waits->text, at, &waits->text_size, (uint32_t)length, 1);
    if (larger == NULL) {
        waits->is_short = true;
        return 0;
    }
    waits->text = larger;
    memcpy(waits->text + at, text, length);
    waits->text_count += (uint32_t)length;
    return at;
}

static void each_task(const struct tutti__waits *waits, void (*visit)(tutti_task *task))
{
    for (uint32_t i = 0; i < waits->node_count; i++) {
        if (waits->nodes[i].task != NULL)
            visit(waits->nodes[i].task);
    }
    for (uint32_t i = 0; i < waits->edge_count; i++) {
        if (waits->edges[i].task != NULL)
            visit(waits->edges[i].task);
    }
}

void tutti__waits_ref(struct tutti__waits *waits)
{
    each_task(waits, tutti_task_ref);
    waits->has_refs = true; /* so no task's address becomes another's while this is looked at */
}

void tutti__waits_free(struct tutti__waits *waits)
{
    if (waits == NULL)
        return;
    if (waits->has_refs)
        each_task(waits, tutti_task_unref);
    free(waits->nodes);
    free(waits->edges);
    free(waits->text);
    free(waits);
}

/* ---- who can go on ------------------------------------------------------------------------ */

struct port {
    const tutti_task *task;
    uint32_t node;
};

/* All graphs of a list as one. Node and edge numbers run through. */
struct solver {
    uint32_t node_count;
    uint32_t edge_count;
    struct tutti__waits **of;  /* node -> its graph */
    const struct tutti__wait_node **nodes;
    uint32_t *edge_first;      /* node -> its first edge */
    uint32_t *to;              /* edge -> node, or NO_NODE */
    uint32_t *from;            /* edges by target: node -> first in `sources`; one more at the end */
    uint32_t *sources;
    uint32_t *left;            /* node -> targets that cannot go on */
    uint32_t *queue;
    uint32_t queued, taken;
    uint32_t *seen;            /* node -> the last walk that came by */
    uint32_t walk;
    bool *live;
    struct port *ports;
    uint32_t port_count;
};

static void solver_free(struct solver *s)
{
    free((void *)s->of);
    free((void *)s->nodes);
    free(s->edge_first);
    free(s->to);
    free(s->from);
    free(s->sources);
    free(s->left);
    free(s->queue);
    free(s->seen);
    free(s->live);
    free(s->ports);
}

static bool solver_alloc(struct solver *s)
{
    size_t n = (size_t)s->node_count + 2;
    size_t e = (size_t)s->edge_count + 1;
    s->of = (struct tutti__waits **)calloc(n, sizeof *s->of);
    s->nodes = (const struct tutti__wait_node **)calloc(n, sizeof *s->nodes);
    s->edge_first = (uint32_t *)calloc(n, sizeof *s->edge_first);
    s->to = (uint32_t *)calloc(e, sizeof *s->to);
    s->from = (uint32_t *)calloc(n, sizeof *s->from);
    s->sources = (uint32_t *)calloc(e, sizeof *s->sources);
    s->left = (uint32_t *)calloc(n, sizeof *s->left);
    s->queue = (uint32_t *)calloc(n, sizeof *s->queue);
    s->seen = (uint32_t *)calloc(n, sizeof *s->seen);
    s->live = (bool *)calloc(n, sizeof *s->live);
    s->ports = (struct port *)calloc(n, sizeof *s->ports);
    return s->of != NULL && s->nodes != NULL && s->edge_first != NULL && s->to != NULL
        && s->from != NULL && s->sources != NULL && s->left != NULL && s->queue != NULL
        && s->seen != NULL && s->live != NULL && s->ports != NULL;
}

static int compare_ports(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct port *)a)->task;
    uintptr_t right = (uintptr_t)((const struct port *)b)->task;
    return left < right ? -1 : left > right;
}

static uint32_t find_port(const struct solver *s, const tutti_task *task)
{
    struct port key = { task, 0 };
    const struct port *port = (const struct port *)bsearch(&key, s->ports, s->port_count,
                                                           sizeof key, compare_ports);
    return port == NULL ? TUTTI__NO_NODE : port->node;
}

static void read_nodes(struct solver *s, struct tutti__waits *list)
{
    uint32_t node = 0;
    for (struct tutti__waits *waits = list; waits != NULL; waits = waits->next) {
        for (uint32_t i = 0; i < waits->node_count; i++, node++) {
            s->of[node] = waits;
            s->nodes[node] = &waits->nodes[i];
            if (waits->nodes[i].task != NULL)
                s->ports[s->port_count++] = (struct port){ waits->nodes[i].task, node };
        }
    }
    qsort(s->ports, s->port_count, sizeof *s->ports, compare_ports);
}

static void read_edges(struct solver *s)
{
    uint32_t edge = 0;
    uint32_t base = 0;
    for (uint32_t node = 0; node < s->node_count; node++) {
        const struct tutti__waits *waits = s->of[node];
        if (node > 0 && s->of[node - 1] != waits)
            base = node;
        s->edge_first[node] = edge;
        for (uint32_t i = 0; i < s->nodes[node]->edge_count; i++, edge++) {
            const struct tutti__wait_edge *to = &waits->edges[s->nodes[node]->edge_first + i];
            s->to[edge] = to->node != TUTTI__NO_NODE ? base + to->node
                : to->task != NULL ? find_port(s, to->task) : TUTTI__NO_NODE;
        }
    }
    s->edge_first[s->node_count] = edge;
}

/* Sort the edges by their targets. */
static void turn_round(struct solver *s)
{
    for (uint32_t edge = 0; edge < s->edge_count; edge++) {
        if (s->to[edge] != TUTTI__NO_NODE)
            s->from[s->to[edge] + 1]++;
    }
    for (uint32_t node = 0; node < s->node_count; node++)
        s->from[node + 1] += s->from[node];
    for (uint32_t node = s->node_count; node-- > 0;) {
        for (uint32_t edge = s->edge_first[node]; edge < s->edge_first[node + 1]; edge++) {
            if (s->to[edge] != TUTTI__NO_NODE)
                s->sources[s->from[s->to[edge]] + s->left[s->to[edge]]++] = node;
        }
    }
    memset(s->left, 0, s->node_count * sizeof *s->left);
}

static bool solver_open(struct solver *s, struct tutti__waits *list)
{
    memset(s, 0, sizeof *s);
    for (const struct tutti__waits *waits = list; waits != NULL; waits = waits->next) {
        s->node_count += waits->node_count;
        s->edge_count += waits->edge_count;
    }
    if (!solver_alloc(s))
        return false;
    read_nodes(s, list);
    read_edges(s);
    turn_round(s);
    return true;
}

static void goes_on(struct solver *s, uint32_t node)
{
    if (s->live[node])
        return;
    s->live[node] = true;
    s->queue[s->queued++] = node;
}

static void target_goes_on(struct solver *s, uint32_t node)
{
    s->left[node]--;
    if (s->left[node] == 0 || (s->nodes[node]->flags & WAIT_ANY) != 0)
        goes_on(s, node);
}

static void spread(struct solver *s)
{
    while (s->taken < s->queued) {
        uint32_t node = s->queue[s->taken++];
        for (uint32_t i = s->from[node]; i < s->from[node + 1]; i++)
            target_goes_on(s, s->sources[i]);
    }
}

static void solve(struct solver *s)
{
    for (uint32_t node = 0; node < s->node_count; node++)
        s->left[node] = s->edge_first[node + 1] - s->edge_first[node];
    for (uint32_t node = 0; node < s->node_count; node++) {
        if (s->left[node] == 0)
            goes_on(s, node);
        for (uint32_t edge = s->edge_first[node]; edge < s->edge_first[node + 1]; edge++) {
            if (s->to[edge] == TUTTI__NO_NODE)
                target_goes_on(s, node);
        }
    }
    spread(s);
}

bool *tutti__waits_open(const struct tutti__waits *waits)
{
    struct solver s;
    struct tutti__waits copy = *waits;
    copy.next = NULL;
    if (!solver_open(&s, &copy)) {
        solver_free(&s);
        return NULL;
    }
    /* Here all must go on before anybody does, so that a circle beside what moves is kept in mind. */
    for (uint32_t node = 0; node < s.node_count; node++)
        s.left[node] = s.edge_first[node + 1] - s.edge_first[node];
    uint32_t closed = 0;
    for (uint32_t node = 0; node < s.node_count; node++) {
        if (s.left[node] == 0)
            goes_on(&s, node);
    }
    while (s.taken < s.queued) {
        uint32_t node = s.queue[s.taken++];
        closed++;
        for (uint32_t i = s.from[node]; i < s.from[node + 1]; i++) {
            if (--s.left[s.sources[i]] == 0)
                goes_on(&s, s.sources[i]);
        }
    }
    bool *open = NULL;
    if (closed < s.node_count) {
        open = s.live;
        s.live = NULL;
        for (uint32_t node = 0; node < s.node_count; node++)
            open[node] = !open[node];
    }
    solver_free(&s);
    return open;
}

/* ---- circles ------------------------------------------------------------------------------ */

static uint32_t stuck_target(const struct solver *s, uint32_t node)
{
    for (uint32_t edge = s->edge_first[node]; edge < s->edge_first[node + 1]; edge++) {
        if (s->to[edge] != TUTTI__NO_NODE && !s->live[s->to[edge]])
            return s->to[edge];
    }
    return node; /* cannot be: a stuck node has a stuck target */
}

/* Where a circle is broken: in the await that began last; without one at the newest that can be failed. */
static bool is_better(const struct tutti__wait_node *a, const struct tutti__wait_node *b)
{
    if ((a->flags & WAIT_AWAIT) != (b->flags & WAIT_AWAIT))
        return (a->flags & WAIT_AWAIT) != 0;
    if ((a->flags & WAIT_AWAIT) != 0)
        return a->begun > b->begun || (a->begun == b->begun && a->id > b->id);
    if ((a->flags & WAIT_FAILS) != (b->flags & WAIT_FAILS))
        return (a->flags & WAIT_FAILS) != 0;
    return a->id > b->id;
}

static const char *name_of(const struct solver *s, uint32_t node)
{
    const struct tutti__waits *waits = s->of[node];
    return waits->text_count == 0 ? "?" : waits->text + s->nodes[node]->name;
}

static struct tutti__break *new_break(const struct solver *s, uint32_t best)
{
    size_t size = 0;
    uint32_t count = 0;
    uint32_t node = best;
    do {
        size += strlen(name_of(s, node)) + 1;
        count++;
        node = stuck_target(s, node);
    } while (node != best);
    struct tutti__break *here = (struct tutti__break *)calloc(1, sizeof *here + size);
    if (here == NULL)
        return NULL;
    char *to = here->names;
    for (uint32_t i = 0; i < count; i++, node = stuck_target(s, node)) {
        size_t length = strlen(name_of(s, node)) + 1;
        memcpy(to, name_of(s, node), length);
        to += length;
    }
    here->home = s->of[best]->home;
    here->id = s->nodes[best]->id;
    here->slot = s->nodes[best]->slot;
    here->begun = s->nodes[best]->begun;
    here->flags = s->nodes[best]->flags & (WAIT_AWAIT | WAIT_FAILS);
    here->name_count = count;
    return here;
}

/* Follow stuck nodes from `node`, until one comes again: from there they are a circle. */
static uint32_t find_in_circle(struct solver *s, uint32_t node)
{
    s->walk++;
    for (; s->seen[node] != s->walk; node = stuck_target(s, node))
        s->seen[node] = s->walk;
    uint32_t best = node;
    for (uint32_t at = stuck_target(s, node); at != node; at = stuck_target(s, at)) {
        if (is_better(s->nodes[at], s->nodes[best]))
            best = at;
    }
    return best;
}

struct tutti__break *tutti__circles_find(struct tutti__waits *list)
{
    struct solver s;
    struct tutti__break *first = NULL;
    if (!solver_open(&s, list)) {
        solver_free(&s);
        return NULL;
    }
    solve(&s);
    for (uint32_t node = 0; node < s.node_count; node++) {
        while (!s.live[node]) {
            uint32_t best = find_in_circle(&s, node);
            struct tutti__break *here = new_break(&s, best);
            if (here != NULL && here->flags != 0) {
                here->next = first;
                first = here;
            } else {
                free(here);
            }
            goes_on(&s, best); /* as it will, once it is broken there */
            spread(&s);
        }
    }
    solver_free(&s);
    return first;
}

/* ---- of all states ------------------------------------------------------------------------ */

/* Take out what the state has published; *links are put right. */
static struct tutti__waits *take_out(struct tutti__circles *circles, const struct tutti__lua *lua)
{
    for (struct tutti__waits **at = &circles->first; *at != NULL; at = &(*at)->next) {
        struct tutti__waits *waits = *at;
        if (waits->lua != lua)
            continue;
        *at = waits->next;
        return waits;
    }
    return NULL;
}

/* Has no wait of it been taken back since? */
static bool is_true(const struct tutti__waits *waits)
{
    /* acquire: pairs with the release in tutti__cycle_taken_back; what the state did after that count may
     * be known to who looks here. */
    return TUTTI_LOAD(&waits->lua->cycle.taken_back, acquire) == waits->taken_back;
}

struct tutti__break *tutti__circles_publish(struct tutti__circles *circles, struct tutti__lua *lua,
                                            struct tutti__waits *waits)
{
    struct tutti__break *found = NULL;
    struct tutti__waits *stale = NULL;
    if (waits != NULL)
        tutti__waits_ref(waits);
    pthread_mutex_lock(&circles->mu);
    struct tutti__waits *old = take_out(circles, lua);
    for (struct tutti__waits **at = &circles->first; *at != NULL;) {
        struct tutti__waits *other = *at;
        if (is_true(other)) {
            at = &other->next;
            continue;
        }
        *at = other->next; /* its state will publish again when it has looked */
        other->next = stale;
        stale = other;
    }
    if (waits != NULL) {
        waits->next = circles->first;
        circles->first = waits;
        found = tutti__circles_find(circles->first);
    }
    pthread_mutex_unlock(&circles->mu);
    tutti__waits_free(old);
    while (stale != NULL) {
        struct tutti__waits *next = stale->next;
        tutti__waits_free(stale);
        stale = next;
    }
    return found;
}
