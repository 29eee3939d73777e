// A page that watches, by a library that pages use. Its first line from standard input is what to watch, and with which
// tokens: each connection asks for the next one. Each further line subscribes once more, with variables of its own. What happens is told line by line.
import { createInterface } from "node:readline";
import { ApolloClient, ApolloLink, gql, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, subscriptionExchange } from "@urql/core";
import { parse, print, separateOperations } from "graphql";
import { createClient } from "graphql-ws";
import { pipe, subscribe } from "wonka";
import WebSocket from "ws";

const tell = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { url, tokens, document, operation, variables } = JSON.parse((await lines.next()).value);
const query = print(separateOperations(parse(document))[operation]);

// As every page would make it, but for the shorter wait before it connects again.
const socket = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: () => ({ language: "en", Authorization: `Bearer ${tokens.length > 1 ? tokens.shift() : tokens[0]}` }),
  retryWait: (retries) => new Promise((resolve) => setTimeout(resolve, 10 * retries)),
  on: { closed: ({ code, reason }) => tell("closed", { code, reason }), connected: () => tell("connected") },
});

const failed = (error) => tell("failed", { error: String(error?.message ?? JSON.stringify(error)) });
const next = (data, errors) => tell("next", { data, errors: errors ?? [] });
const complete = () => tell("complete");

function byGraphqlWs() {
  return (variables) => socket.subscribe({ query, variables }, { next: (result) => next(result.data, result.errors), error: failed, complete });
}

// urql keeps an error beside all later data of a subscription. One that only says that a new token is wanted is not for it.
const isRefusal = ({ errors }) => errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");

function byUrql() {
  const forwardSubscription = (request) => ({
    subscribe: (sink) => {
      const next = (result) => isRefusal(result) || sink.next(result);
      return { unsubscribe: socket.subscribe({ ...request, query: request.query ?? "" }, { next, error: (error) => sink.error(error), complete: () => sink.complete() }) };
    },
  });
  const client = new Client({ url, preferGetMethod: false, exchanges: [subscriptionExchange({ forwardSubscription })] });
  const heard = ({ data, error }) =>
    error?.networkError ? failed(error.networkError) : next(data ?? null, error?.graphQLErrors);
  return (variables) => pipe(client.subscription(query, variables), subscribe(heard));
}

function byApollo() {
  const client = new ApolloClient({ cache: new InMemoryCache(), link: ApolloLink.from([new GraphQLWsLink(socket)]) });
  const heard = ({ data, error }) => (error && !error.errors ? failed(error) : next(data ?? null, error?.errors));
  return (variables) =>
    client.subscribe({ query: gql(query), variables, fetchPolicy: "no-cache" }).subscribe({ next: heard, error: failed, complete });
}

const watch = { "graphql-ws": byGraphqlWs, urql: byUrql, apollo: byApollo }[process.argv[2]]();
watch(variables);
for await (const line of lines) watch(JSON.parse(line));
process.exit();
